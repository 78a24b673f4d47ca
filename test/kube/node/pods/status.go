package pods

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// changed has the status looked at; many changes at once are one write.
func (w *worker) changed() {
	select {
	case w.dirty <- struct{}{}:
	default:
	}
}

// report writes the pod's status whenever it differs from what was written last.
func (w *worker) report(ctx context.Context) {
	var written *corev1.PodStatus
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.dirty:
		}
		status := w.status(written)
		if w.rewrite.Swap(false) {
			written = nil
		}
		if written != nil && reflect.DeepEqual(*written, status) {
			continue
		}
		err := w.write(ctx, status)
		switch {
		case err == nil:
			written = &status
		case apierrors.IsNotFound(err) || apierrors.IsConflict(err):
			// The name is gone, or another pod's.
			w.delete()
			return
		case ctx.Err() == nil && sleep(ctx, time.Second):
			w.changed()
		}
	}
}

// write uses a merge patch: a strategic one would merge podIPs by address and keep those of before.
func (w *worker) write(ctx context.Context, status corev1.PodStatus) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": w.pod.UID}, "status": status})
	if err != nil {
		return err
	}
	pods := w.host.Client.CoreV1().Pods(w.pod.Namespace)
	_, err = pods.Patch(ctx, w.pod.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

func (w *worker) status(before *corev1.PodStatus) corev1.PodStatus {
	began := metav1.NewTime(w.began.Truncate(time.Second))
	status := corev1.PodStatus{
		Phase: w.phase(), StartTime: &began,
		HostIP: w.node.IP.String(), HostIPs: []corev1.HostIP{{IP: w.node.IP.String()}},
	}
	if w.space != nil {
		status.PodIP = w.address.String()
		status.PodIPs = []corev1.PodIP{{IP: status.PodIP}}
	}
	for _, m := range w.members {
		if m.role == main {
			status.ContainerStatuses = append(status.ContainerStatuses, m.status())
		} else {
			status.InitContainerStatuses = append(status.InitContainerStatuses, m.status())
		}
	}
	status.Conditions = w.conditions(before)
	return status
}

func (w *worker) phase() corev1.PodPhase {
	if !w.initialised.Load() {
		for _, m := range w.members {
			if m.role == step && m.is(func() bool { return m.over && m.last != nil && m.last.ExitCode != 0 }) {
				return corev1.PodFailed
			}
		}
		return corev1.PodPending
	}
	phase := corev1.PodSucceeded
	for _, m := range w.members {
		if m.role != main {
			continue
		}
		switch {
		case !m.is(func() bool { return m.over }):
			return corev1.PodRunning
		case m.is(func() bool { return m.last == nil || m.last.ExitCode != 0 }):
			phase = corev1.PodFailed
		}
	}
	return phase
}

// conditions keeps what others have set, such as readiness gates.
func (w *worker) conditions(before *corev1.PodStatus) []corev1.PodCondition {
	containersReady := w.initialised.Load()
	for _, m := range w.members {
		if m.role != step && !m.is(func() bool { return m.ready }) {
			containersReady = false
		}
	}
	ready := containersReady
	for _, gate := range w.pod.Spec.ReadinessGates {
		ready = ready && hasTrue(w.newest.Load().Status.Conditions, gate.ConditionType)
	}
	own := []corev1.PodCondition{
		condition(corev1.PodScheduled, true),
		condition(corev1.PodReadyToStartContainers, w.space != nil),
		condition(corev1.PodInitialized, w.initialised.Load()),
		condition(corev1.ContainersReady, containersReady),
		condition(corev1.PodReady, ready),
	}
	known := map[corev1.PodConditionType]bool{}
	for index := range own {
		known[own[index].Type] = true
		if before != nil {
			keepTransition(&own[index], before.Conditions)
		}
	}
	for _, foreign := range w.newest.Load().Status.Conditions {
		if !known[foreign.Type] {
			own = append(own, foreign)
		}
	}
	return own
}

func keepTransition(now *corev1.PodCondition, before []corev1.PodCondition) {
	for _, each := range before {
		if each.Type == now.Type && each.Status == now.Status {
			now.LastTransitionTime = each.LastTransitionTime
		}
	}
}

func condition(kind corev1.PodConditionType, is bool) corev1.PodCondition {
	status := corev1.ConditionFalse
	if is {
		status = corev1.ConditionTrue
	}
	now := metav1.NewTime(time.Now().Truncate(time.Second))
	return corev1.PodCondition{Type: kind, Status: status, LastTransitionTime: now}
}

func hasTrue(conditions []corev1.PodCondition, kind corev1.PodConditionType) bool {
	for _, each := range conditions {
		if each.Type == kind {
			return each.Status == corev1.ConditionTrue
		}
	}
	return false
}

// status of one container. Its id is the process id, for tests that pause or kill it.
func (m *member) status() corev1.ContainerStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	started := m.started
	status := corev1.ContainerStatus{
		Name: m.spec.Name, Image: m.spec.Image, ImageID: m.spec.Image,
		RestartCount: int32(m.restarts), Ready: m.ready, Started: &started,
	}
	waiting := m.waiting
	switch {
	case m.w.refused != "":
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: m.w.refused, Message: m.w.refusedWhy}
	case m.now != nil:
		status.ContainerID = fmt.Sprintf("process://%d", m.now.Pid)
		status.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(m.now.Started.Truncate(time.Second))}
		if m.last != nil {
			status.LastTerminationState.Terminated = m.last
		}
	case m.last != nil && (m.over || waiting.Reason == ""):
		status.State.Terminated = m.last
		// A step that has done its work counts as ready.
		status.Ready = m.role == step && m.last.ExitCode == 0
	default:
		status.State.Waiting = &waiting
		if m.last != nil {
			status.LastTerminationState.Terminated = m.last
		}
	}
	return status
}
