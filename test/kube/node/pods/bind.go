package pods

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hansa/kube/node/config"
)

// bind gives a pod to the next node that it allows, as a scheduler does. Of affinities it knows those to nodes by name and
// label that are required; what is preferred, taints and other pods' places are not looked at.
func (m *Manager) bind(pod *corev1.Pod) {
	m.mu.Lock()
	m.turn++
	turn := m.turn
	m.mu.Unlock()
	nodes := m.host.Cluster.Nodes
	for index := range nodes {
		node := nodes[(turn+index)%len(nodes)]
		if !allows(pod, node) {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		binding := &corev1.Binding{
			ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID},
			Target:     corev1.ObjectReference{Kind: "Node", Name: node.Name},
		}
		// Where it fails, the pod has changed and is seen again, or is gone.
		m.host.Client.CoreV1().Pods(pod.Namespace).Bind(ctx, binding, metav1.CreateOptions{})
		return
	}
	m.host.Events.Event(pod, corev1.EventTypeWarning, "FailedScheduling", "no node of the lab has the labels that the pod wants")
}

func allows(pod *corev1.Pod, node config.Node) bool {
	for name, value := range pod.Spec.NodeSelector {
		if node.Labels[name] != value {
			return false
		}
	}
	affinity := pod.Spec.Affinity
	if affinity == nil || affinity.NodeAffinity == nil {
		return true
	}
	required := affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	return required == nil || slices.ContainsFunc(required.NodeSelectorTerms, func(term corev1.NodeSelectorTerm) bool {
		return matches(term.MatchExpressions, node.Labels) &&
			matches(term.MatchFields, map[string]string{"metadata.name": node.Name})
	})
}

func matches(wanted []corev1.NodeSelectorRequirement, values map[string]string) bool {
	for _, each := range wanted {
		value, has := values[each.Key]
		in := has && slices.Contains(each.Values, value)
		switch each.Operator {
		case corev1.NodeSelectorOpIn:
			if !in {
				return false
			}
		case corev1.NodeSelectorOpNotIn:
			if in {
				return false
			}
		case corev1.NodeSelectorOpExists:
			if !has {
				return false
			}
		case corev1.NodeSelectorOpDoesNotExist:
			if has {
				return false
			}
		default:
			return false
		}
	}
	return true
}
