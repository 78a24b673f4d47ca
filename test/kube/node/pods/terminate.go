package pods

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hansa/kube/node/container"
)

// terminate ends all containers: first those that do the work, then the sidecars, the last one first, all within the
// pod's grace.
func (w *worker) terminate() {
	deadline := time.Now().Add(w.grace())
	done := make(chan struct{})
	count := 0
	for _, m := range w.members {
		if m.role == sidecar {
			continue
		}
		count++
		go func() {
			m.end(deadline)
			done <- struct{}{}
		}()
	}
	for range count {
		<-done
	}
	w.endSidecars(deadline)
}

func (w *worker) endSidecars(deadline time.Time) {
	for index := len(w.members) - 1; index >= 0; index-- {
		if m := w.members[index]; m.role == sidecar {
			m.change(func() { m.stopping = true })
			m.end(deadline)
		}
	}
}

// end runs the preStop hook, asks the container to end, and kills it at the deadline.
func (m *member) end(deadline time.Time) {
	running := m.running()
	if running == nil {
		return
	}
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	m.preStop(ctx, running)
	running.Terminate()
	select {
	case <-running.Done():
	case <-ctx.Done():
		running.Kill()
		<-running.Done()
	}
}

func (m *member) preStop(ctx context.Context, running *container.Container) {
	if m.spec.Lifecycle == nil || m.spec.Lifecycle.PreStop == nil {
		return
	}
	var err error
	switch hook := m.spec.Lifecycle.PreStop; {
	case hook.Exec != nil:
		err = running.Exec(ctx, hook.Exec.Command, container.Streams{})
	case hook.HTTPGet != nil:
		err = m.get(ctx, hook.HTTPGet)
	case hook.Sleep != nil:
		select {
		case <-running.Done():
		case <-ctx.Done():
		case <-time.After(time.Duration(hook.Sleep.Seconds) * time.Second):
		}
	}
	if err != nil {
		m.w.warn("FailedPreStopHook", err.Error())
	}
}

// grace is what the deletion allows, else what the pod asks for.
func (w *worker) grace() time.Duration {
	seconds := int64(corev1.DefaultTerminationGracePeriodSeconds)
	if own := w.pod.Spec.TerminationGracePeriodSeconds; own != nil {
		seconds = *own
	}
	if asked := w.newest.Load().DeletionGracePeriodSeconds; asked != nil {
		seconds = *asked
	}
	return time.Duration(seconds) * time.Second
}

// remove takes the pod out of the API server, which keeps it until its node says that nothing of it runs.
func (w *worker) remove() {
	now := int64(0)
	options := metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &w.pod.UID}}
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		err := w.host.Client.CoreV1().Pods(w.pod.Namespace).Delete(ctx, w.pod.Name, options)
		cancel()
		if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return
		}
		time.Sleep(time.Second)
	}
}
