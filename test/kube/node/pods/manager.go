package pods

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"hansa/kube/node/container"
)

// Manager has a worker for each pod that is bound to one of its nodes, and binds those that are bound to none.
type Manager struct {
	host *Host

	mu      sync.Mutex
	workers map[types.UID]*worker
	turn    int
}

// NewManager works once it is given to an informer of pods.
func NewManager(host *Host) *Manager {
	return &Manager{host: host, workers: map[types.UID]*worker{}}
}

// Handler is for the informer.
func (m *Manager) Handler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { m.see(obj.(*corev1.Pod)) },
		UpdateFunc: func(_, obj any) { m.see(obj.(*corev1.Pod)) },
		DeleteFunc: func(obj any) {
			if last, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = last.Obj
			}
			m.lose(obj.(*corev1.Pod))
		},
	}
}

func (m *Manager) see(pod *corev1.Pod) {
	if pod.Spec.NodeName == "" {
		if pod.DeletionTimestamp == nil && len(pod.Spec.SchedulingGates) == 0 {
			go m.bind(pod)
		}
		return
	}
	node, ours := m.host.node(pod.Spec.NodeName)
	if !ours {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	w, known := m.workers[pod.UID]
	if !known {
		over := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		if over && pod.DeletionTimestamp == nil {
			return
		}
		w = newWorker(m.host, node, pod)
		m.workers[pod.UID] = w
		go m.work(w)
	}
	w.update(pod)
}

func (m *Manager) work(w *worker) {
	w.run()
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.workers, w.pod.UID)
}

// lose ends what was deleted by force.
func (m *Manager) lose(pod *corev1.Pod) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w, known := m.workers[pod.UID]; known {
		w.delete()
	}
}

// Exec runs a command in a container of a pod; with no name, in its first.
func (m *Manager) Exec(ctx context.Context, namespace, pod, name string, argv []string, streams container.Streams) error {
	found, err := m.find(namespace, pod, name)
	if err != nil {
		return err
	}
	running := found.running()
	if running == nil {
		return fmt.Errorf("container %s of pod %s/%s is not running", name, namespace, pod)
	}
	return running.Exec(ctx, argv, streams)
}

// Log opens the output of a container's present run, or of the one before, and tells when there will be no more of it.
func (m *Manager) Log(namespace, pod, name string, previous bool) (*os.File, <-chan struct{}, error) {
	found, err := m.find(namespace, pod, name)
	if err != nil {
		return nil, nil, err
	}
	found.mu.Lock()
	run, running := found.restarts, found.now
	found.mu.Unlock()
	over := make(chan struct{})
	if previous {
		run--
	}
	if running == nil || previous {
		close(over)
	} else {
		go func() {
			<-running.Done()
			close(over)
		}()
	}
	file, err := os.Open(m.host.LogFile(found.w.pod, found.spec.Name, run))
	return file, over, err
}

// Dial connects to a port of a pod from within it, so that programs that listen on its loopback alone are reached too.
func (m *Manager) Dial(namespace, pod string, port int32) (net.Conn, error) {
	found, err := m.find(namespace, pod, "")
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port)))
	return found.w.space.Dial(net.Dialer{Timeout: 10 * time.Second}, "tcp4", address)
}

// Retain is told all pods that there are after the API server was set back: what is not among them is ended, and what is
// has its status written anew.
func (m *Manager) Retain(pods []*corev1.Pod) {
	there := map[types.UID]bool{}
	for _, pod := range pods {
		there[pod.UID] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for uid, w := range m.workers {
		if there[uid] {
			w.rewrite.Store(true)
			w.changed()
		} else {
			w.delete()
		}
	}
}

func (m *Manager) find(namespace, pod, name string) (*member, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	// One that ends may still have the name.
	var youngest *worker
	for _, w := range m.workers {
		named := w.pod.Namespace == namespace && w.pod.Name == pod
		if named && (youngest == nil || w.began.After(youngest.began)) {
			youngest = w
		}
	}
	if youngest != nil {
		for _, each := range youngest.members {
			if each.spec.Name == name || name == "" && each.role == main {
				return each, nil
			}
		}
	}
	return nil, fmt.Errorf("no container %q in pod %s/%s on this node", name, namespace, pod)
}
