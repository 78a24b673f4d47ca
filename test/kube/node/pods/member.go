package pods

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hansa/kube/node/container"
)

// role is what a container is for in its pod.
type role int

const (
	// step runs once before the pod's work (an init container).
	step role = iota
	// sidecar is an init container with restartPolicy Always: it runs from its turn to the end.
	sidecar
	// main does the pod's work.
	main
)

// backoffMax is shorter than a kubelet's five minutes: tests wait for it.
const backoffMax = 10 * time.Second

// member is one container of a pod over all its runs.
type member struct {
	w    *worker
	spec corev1.Container
	role role

	mu       sync.Mutex
	now      *container.Container
	waiting  corev1.ContainerStateWaiting
	last     *corev1.ContainerStateTerminated
	restarts int
	started  bool
	ready    bool
	// stopping: its next end is its last. over: it has ended and does not run again.
	stopping, over bool
}

// run starts the container, and again after each end as its policy says, until the pod's life is over.
func (m *member) run(life context.Context) {
	defer m.change(func() { m.over = true })
	for {
		code := m.once(life)
		if life.Err() != nil || !m.runsAgain(code) {
			return
		}
		m.change(func() {
			wait := min(time.Second<<min(m.restarts, 10), backoffMax)
			m.waiting = corev1.ContainerStateWaiting{
				Reason: "CrashLoopBackOff", Message: fmt.Sprintf("back-off %s restarting container %s", wait, m.spec.Name),
			}
		})
		if !sleep(life, min(time.Second<<min(m.restarts, 10), backoffMax)) {
			return
		}
		m.change(func() { m.restarts++ })
	}
}

// once is one run; it gives the exit code.
func (m *member) once(life context.Context) int {
	running, err := m.start(life)
	if err != nil {
		m.w.warn("Failed", fmt.Sprintf("container %s: %s", m.spec.Name, err))
		ended := metav1.Now()
		m.change(func() {
			m.last = &corev1.ContainerStateTerminated{
				ExitCode: 128, Reason: "StartError", Message: err.Error(), StartedAt: ended, FinishedAt: ended,
			}
		})
		return 128
	}
	m.change(func() {
		m.now = running
		m.waiting = corev1.ContainerStateWaiting{}
		m.started = m.spec.StartupProbe == nil
		m.ready = m.started && m.spec.ReadinessProbe == nil
	})
	if life.Err() != nil {
		// Whoever ended the pod's containers has not seen this one.
		running.Kill()
	}
	probing, stop := context.WithCancel(context.Background())
	go m.probe(probing, life, running)
	<-running.Done()
	stop()
	m.change(func() {
		m.last = terminated(running)
		m.now, m.started, m.ready = nil, false, false
	})
	return running.Code
}

func (m *member) start(ctx context.Context) (*container.Container, error) {
	w := m.w
	image, _ := w.host.Config.Image(m.spec.Image)
	env, err := w.environment(ctx, m.spec, image)
	if err != nil {
		return nil, err
	}
	command, args := m.spec.Command, m.spec.Args
	if len(command) == 0 {
		command = image.Entrypoint
		if len(args) == 0 {
			args = image.Cmd
		}
	}
	var argv []string
	for _, each := range append(append([]string{}, command...), args...) {
		argv = append(argv, env.expand(each))
	}
	if len(argv) == 0 {
		return nil, fmt.Errorf("no command")
	}
	uid, gid := identity(w.pod, m.spec)
	spec := container.Spec{
		Dir:      filepath.Join(w.host.podDir(w.pod), "containers", m.spec.Name),
		Hostname: w.hostname(),
		Argv:     argv,
		Env:      env.list(),
		Cwd:      m.spec.WorkingDir,
		Mounts:   w.mounts(m.spec, env),
		Files:    w.networkFiles(),
		UID:      uid,
		GID:      gid,
	}
	if limits := m.spec.SecurityContext; limits != nil {
		spec.ReadOnlyRoot = limits.ReadOnlyRootFilesystem != nil && *limits.ReadOnlyRootFilesystem
		spec.NoNewPrivileges = limits.AllowPrivilegeEscalation != nil && !*limits.AllowPrivilegeEscalation
	}
	if err := os.MkdirAll(spec.Dir, 0o755); err != nil {
		return nil, err
	}
	return container.Start(spec, w.space, w.host.LogFile(w.pod, m.spec.Name, m.restarts))
}

func (m *member) runsAgain(code int) bool {
	if m.is(func() bool { return m.stopping }) {
		return false
	}
	policy := m.w.pod.Spec.RestartPolicy
	switch m.role {
	case sidecar:
		return true
	case step:
		return code != 0 && policy != corev1.RestartPolicyNever
	default:
		return policy == corev1.RestartPolicyAlways || code != 0 && policy == corev1.RestartPolicyOnFailure
	}
}

// running is the container of now, nil between runs.
func (m *member) running() *container.Container {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// is asks for a fact about the member.
func (m *member) is(fact func() bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fact()
}

// change makes a change that the pod's status shows.
func (m *member) change(apply func()) {
	m.mu.Lock()
	apply()
	m.mu.Unlock()
	m.w.changed()
}

func terminated(ended *container.Container) *corev1.ContainerStateTerminated {
	reason := "Completed"
	if ended.Code != 0 {
		reason = "Error"
	}
	return &corev1.ContainerStateTerminated{
		ExitCode:   int32(ended.Code),
		Reason:     reason,
		StartedAt:  metav1.NewTime(ended.Started),
		FinishedAt: metav1.NewTime(ended.Finished),
	}
}

// sleep is false where the context ended first.
func sleep(ctx context.Context, wait time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}
