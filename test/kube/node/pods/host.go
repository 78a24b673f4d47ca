// Package pods runs the pods of one cluster's nodes: what a kubelet and a scheduler do, as far as the lab needs it.
package pods

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/record"

	"hansa/kube/node/config"
	"hansa/kube/node/lab"
)

// Host is what all pods of a cluster share.
type Host struct {
	Client    kubernetes.Interface
	Config    *config.Config
	Cluster   config.Cluster
	Lab       *lab.Lab
	Addresses *lab.Addresses
	Events    record.EventRecorder
}

// node finds the node with that name, where it is one of this host's.
func (h *Host) node(name string) (config.Node, bool) {
	for _, node := range h.Cluster.Nodes {
		if node.Name == name {
			return node, true
		}
	}
	return config.Node{}, false
}

// gateway is the address of the lab that pods reach everything through.
func (h *Host) gateway() netip.Addr { return h.Cluster.Nodes[0].IP }

func (h *Host) podDir(pod *corev1.Pod) string {
	return filepath.Join(h.Config.StateDir, h.Cluster.Name, "pods", string(pod.UID))
}

// LogFile is where the output of a container's nth run goes.
func (h *Host) LogFile(pod *corev1.Pod, container string, run int) string {
	return filepath.Join(h.podDir(pod), "logs", fmt.Sprintf("%s.%d.log", container, run))
}

func (h *Host) makeDirs(pod *corev1.Pod) error {
	for _, name := range []string{"logs", "volumes", "containers"} {
		if err := os.MkdirAll(filepath.Join(h.podDir(pod), name), 0o755); err != nil {
			return err
		}
	}
	return nil
}
