package pods

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	"hansa/kube/node/config"
	"hansa/kube/node/netns"
)

// worker runs one pod from its binding to its deletion.
type worker struct {
	host *Host
	node config.Node
	// pod as it was first seen: its spec does not change. newest is what the API server last said.
	pod     *corev1.Pod
	newest  atomic.Pointer[corev1.Pod]
	address netip.Addr
	space   *netns.Netns
	members []*member
	tokens  map[string]issuedToken
	began   time.Time

	// refused is why the pod does not run here, "" where it does.
	refused, refusedWhy string
	initialised         atomic.Bool
	// rewrite has the status written though it has not changed.
	rewrite    atomic.Bool
	dirty      chan struct{}
	deleteOnce sync.Once
	deleted    chan struct{}
	gone       chan struct{}
}

func newWorker(host *Host, node config.Node, pod *corev1.Pod) *worker {
	w := &worker{
		host: host, node: node, pod: pod, began: time.Now(), tokens: map[string]issuedToken{},
		dirty: make(chan struct{}, 1), deleted: make(chan struct{}), gone: make(chan struct{}),
	}
	w.newest.Store(pod)
	for _, spec := range pod.Spec.InitContainers {
		kind := step
		if spec.RestartPolicy != nil && *spec.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			kind = sidecar
		}
		w.members = append(w.members, w.member(spec, kind, "PodInitializing"))
	}
	for _, spec := range pod.Spec.Containers {
		w.members = append(w.members, w.member(spec, main, "ContainerCreating"))
	}
	return w
}

func (w *worker) member(spec corev1.Container, kind role, waits string) *member {
	return &member{w: w, spec: spec, role: kind, waiting: corev1.ContainerStateWaiting{Reason: waits}}
}

// update tells the worker what the API server says of its pod now.
func (w *worker) update(pod *corev1.Pod) {
	w.newest.Store(pod)
	if pod.DeletionTimestamp != nil {
		w.delete()
	}
}

// delete has the pod end; it is gone when w.gone is closed.
func (w *worker) delete() {
	w.deleteOnce.Do(func() { close(w.deleted) })
}

func (w *worker) run() {
	defer close(w.gone)
	life, end := context.WithCancel(context.Background())
	reporting, stopReporting := context.WithCancel(context.Background())
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		w.report(reporting)
	}()
	if w.refused, w.refusedWhy = w.host.refusal(w.pod); w.refused != "" {
		w.warn(w.refused, w.refusedWhy)
		w.changed()
	} else {
		go func() {
			if w.prepare(life) {
				w.live(life)
			}
		}()
	}
	<-w.deleted
	end()
	w.terminate()
	stopReporting()
	<-reported
	w.cleanUp()
	w.remove()
}

// prepare gives the pod its network and its files, however often that has to be tried; false where the pod's life is over.
func (w *worker) prepare(life context.Context) bool {
	for {
		err := w.sandbox(life)
		if err == nil {
			w.changed()
			return true
		}
		if life.Err() != nil {
			return false
		}
		w.warn("FailedCreatePodSandBox", err.Error())
		if !sleep(life, time.Second) {
			return false
		}
	}
}

func (w *worker) sandbox(ctx context.Context) error {
	if err := w.host.makeDirs(w.pod); err != nil {
		return err
	}
	if !w.address.IsValid() {
		address, err := w.host.Addresses.Take()
		if err != nil {
			return err
		}
		w.address = address
	}
	if w.space == nil {
		space, err := w.host.Lab.Attach(w.address, w.host.gateway())
		if err != nil {
			return err
		}
		w.space = space
	}
	return w.writeVolumes(ctx)
}

// live runs the pod's containers in their order and returns when nothing more is to be started.
func (w *worker) live(life context.Context) {
	go w.refresh(life)
	var mains sync.WaitGroup
	for _, m := range w.members {
		switch m.role {
		case step:
			if m.run(life); life.Err() != nil || m.is(func() bool { return m.last == nil || m.last.ExitCode != 0 }) {
				return
			}
		case sidecar:
			go m.run(life)
			if !w.await(life, func() bool { return m.is(func() bool { return m.started }) }) {
				return
			}
		case main:
			mains.Add(1)
			go func() {
				defer mains.Done()
				m.run(life)
			}()
		}
	}
	w.initialised.Store(true)
	w.changed()
	mains.Wait()
	// Sidecars end with the work that they are for.
	if life.Err() == nil {
		w.endSidecars(time.Now().Add(w.grace()))
	}
}

// await polls for a fact of the pod's own.
func (w *worker) await(life context.Context, fact func() bool) bool {
	for !fact() {
		if !sleep(life, 20*time.Millisecond) {
			return false
		}
	}
	return true
}

func (w *worker) refresh(life context.Context) {
	for sleep(life, refreshEvery) {
		if err := w.writeVolumes(life); err != nil && life.Err() == nil {
			w.warn("FailedMount", err.Error())
		}
	}
}

func (w *worker) cleanUp() {
	if w.space != nil {
		w.space.Close()
	}
	if w.address.IsValid() {
		w.host.Addresses.Release(w.address)
	}
	os.RemoveAll(w.host.podDir(w.pod))
}

func (w *worker) hostname() string {
	if w.pod.Spec.Hostname != "" {
		return w.pod.Spec.Hostname
	}
	return w.pod.Name
}

// networkFiles are what a kubelet puts into /etc.
func (w *worker) networkFiles() map[string]string {
	hosts := "127.0.0.1\tlocalhost\n" + fmt.Sprintf("%s\t%s\n", w.address, w.hostname())
	for _, alias := range w.pod.Spec.HostAliases {
		for _, name := range alias.Hostnames {
			hosts += fmt.Sprintf("%s\t%s\n", alias.IP, name)
		}
	}
	return map[string]string{"/etc/resolv.conf": w.resolver(), "/etc/hosts": hosts, "/etc/hostname": w.hostname() + "\n"}
}

func (w *worker) resolver() string {
	servers := []string{w.host.Cluster.DNSIP.String()}
	search := []string{w.pod.Namespace + ".svc.cluster.local", "svc.cluster.local", "cluster.local"}
	options := "options ndots:5\n"
	if w.pod.Spec.DNSPolicy == corev1.DNSNone {
		servers, search, options = nil, nil, ""
	}
	if own := w.pod.Spec.DNSConfig; own != nil {
		servers = append(own.Nameservers, servers...)
		search = append(search, own.Searches...)
		for _, option := range own.Options {
			if option.Value == nil {
				options += fmt.Sprintf("options %s\n", option.Name)
			} else {
				options += fmt.Sprintf("options %s:%s\n", option.Name, *option.Value)
			}
		}
	}
	text := ""
	for _, server := range servers {
		text += "nameserver " + server + "\n"
	}
	if len(search) > 0 {
		text += "search"
		for _, each := range search {
			text += " " + each
		}
		text += "\n"
	}
	return text + options
}

func (w *worker) warn(reason, message string) {
	w.host.Events.Event(w.pod, corev1.EventTypeWarning, reason, message)
}
