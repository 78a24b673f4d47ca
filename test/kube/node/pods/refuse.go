package pods

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// refusal says why the lab cannot run a pod, "" where it can. What is refused here would otherwise run as something that
// it is not.
func (h *Host) refusal(pod *corev1.Pod) (reason, message string) {
	spec := pod.Spec
	for name, wanted := range map[string]bool{
		"hostNetwork": spec.HostNetwork, "hostPID": spec.HostPID, "hostIPC": spec.HostIPC,
	} {
		if wanted {
			return "LabCannotRun", fmt.Sprintf("the lab has no %s", name)
		}
	}
	for _, volume := range spec.Volumes {
		known := volume.EmptyDir != nil || volume.ConfigMap != nil || volume.Secret != nil ||
			volume.DownwardAPI != nil || volume.Projected != nil
		if !known {
			return "LabCannotRun", fmt.Sprintf(
				"volume %s: the lab has emptyDir, configMap, secret, downwardAPI and projected volumes only", volume.Name)
		}
	}
	for _, each := range append(append([]corev1.Container{}, spec.InitContainers...), spec.Containers...) {
		if _, found := h.Config.Image(each.Image); !found {
			return "ErrImageNeverPull", fmt.Sprintf("container %s: no program stands for image %q in this lab", each.Name, each.Image)
		}
		for _, probe := range []*corev1.Probe{each.LivenessProbe, each.ReadinessProbe, each.StartupProbe} {
			if probe != nil && probe.GRPC != nil {
				return "LabCannotRun", fmt.Sprintf("container %s: the lab has no gRPC probes", each.Name)
			}
		}
		if user, _ := identity(pod, each); user == 0 && mustNotBeRoot(pod, each) {
			return "CreateContainerConfigError", fmt.Sprintf(
				"container %s: runAsNonRoot is set, and without runAsUser it would run as root", each.Name)
		}
	}
	return "", ""
}

// identity is whom a container runs as; images of the lab say nothing of their own.
func identity(pod *corev1.Pod, spec corev1.Container) (uid, gid int) {
	if from := pod.Spec.SecurityContext; from != nil {
		uid, gid = or(from.RunAsUser, uid), or(from.RunAsGroup, gid)
	}
	if from := spec.SecurityContext; from != nil {
		uid, gid = or(from.RunAsUser, uid), or(from.RunAsGroup, gid)
	}
	return uid, gid
}

func mustNotBeRoot(pod *corev1.Pod, spec corev1.Container) bool {
	if from := spec.SecurityContext; from != nil && from.RunAsNonRoot != nil {
		return *from.RunAsNonRoot
	}
	from := pod.Spec.SecurityContext
	return from != nil && from.RunAsNonRoot != nil && *from.RunAsNonRoot
}

func or(given *int64, otherwise int) int {
	if given == nil {
		return otherwise
	}
	return int(*given)
}
