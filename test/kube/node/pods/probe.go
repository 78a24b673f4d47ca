package pods

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"hansa/kube/node/container"
)

// eagerly is how often a probe is tried before it first succeeds: a kubelet's second of jitter and ten of period would be
// most of what a test waits for.
const eagerly = 200 * time.Millisecond

// probe runs a container's probes until it ends. `life` is the pod's: a pod that ends is not restarted.
func (m *member) probe(ctx, life context.Context, running *container.Container) {
	if startup := m.spec.StartupProbe; startup != nil {
		if !m.awaitStart(ctx, running, startup) {
			return
		}
		m.change(func() { m.started, m.ready = true, m.spec.ReadinessProbe == nil })
	}
	if readiness := m.spec.ReadinessProbe; readiness != nil {
		go m.watch(ctx, running, readiness, func(good bool) {
			m.change(func() { m.ready = good && m.now == running })
		})
	}
	if liveness := m.spec.LivenessProbe; liveness != nil {
		go m.watch(ctx, running, liveness, func(good bool) {
			if !good && life.Err() == nil {
				m.w.warn("Unhealthy", fmt.Sprintf("container %s failed its liveness probe and is restarted", m.spec.Name))
				running.Kill()
			}
		})
	}
}

// awaitStart waits for the startup probe; a container that does not make it is killed.
func (m *member) awaitStart(ctx context.Context, running *container.Container, probe *corev1.Probe) bool {
	failures := max(probe.FailureThreshold, 3)
	allowed := time.Duration(probe.InitialDelaySeconds)*time.Second + period(probe)*time.Duration(failures)
	for deadline := time.Now().Add(allowed); time.Now().Before(deadline); {
		if m.try(ctx, running, probe) == nil {
			return true
		}
		if !sleep(ctx, eagerly) {
			return false
		}
	}
	m.w.warn("Unhealthy", fmt.Sprintf("container %s failed its startup probe for %s", m.spec.Name, allowed))
	running.Kill()
	return false
}

// watch repeats a probe and tells each time that its verdict turns, by its thresholds.
func (m *member) watch(ctx context.Context, running *container.Container, probe *corev1.Probe, tell func(good bool)) {
	if !sleep(ctx, time.Duration(probe.InitialDelaySeconds)*time.Second) {
		return
	}
	good, everGood, inRow := false, false, int32(0)
	for {
		err := m.try(ctx, running, probe)
		if ctx.Err() != nil {
			return
		}
		needed := max(probe.SuccessThreshold, 1)
		if err != nil {
			needed = max(probe.FailureThreshold, 3)
		}
		if turned := (err == nil) != good; turned || err != nil && !everGood {
			inRow++
			if inRow >= needed {
				good, inRow = err == nil, 0
				everGood = everGood || good
				tell(good)
			}
		} else {
			inRow = 0
		}
		wait := period(probe)
		if !everGood && err != nil && probe == m.spec.ReadinessProbe {
			wait = min(wait, eagerly)
		}
		if !sleep(ctx, wait) {
			return
		}
	}
}

func (m *member) try(ctx context.Context, running *container.Container, probe *corev1.Probe) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(max(probe.TimeoutSeconds, 1))*time.Second)
	defer cancel()
	switch {
	case probe.Exec != nil:
		return running.Exec(ctx, probe.Exec.Command, container.Streams{})
	case probe.HTTPGet != nil:
		return m.get(ctx, probe.HTTPGet)
	case probe.TCPSocket != nil:
		conn, err := m.dial(ctx, m.at(probe.TCPSocket.Host, probe.TCPSocket.Port))
		if err == nil {
			conn.Close()
		}
		return err
	}
	return nil
}

// get asks from the node's side, as a kubelet does: what intercepts a pod's traffic sees probes come in.
func (m *member) get(ctx context.Context, action *corev1.HTTPGetAction) error {
	scheme := "http"
	if action.Scheme == corev1.URISchemeHTTPS {
		scheme = "https"
	}
	url := fmt.Sprintf("%s://%s%s", scheme, m.at(action.Host, action.Port), action.Path)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	for _, header := range action.HTTPHeaders {
		if http.CanonicalHeaderKey(header.Name) == "Host" {
			request.Host = header.Value
		}
		request.Header.Add(header.Name, header.Value)
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, address string) (net.Conn, error) { return m.dial(ctx, address) },
		// As kubelets do: a pod's own certificate is nobody's to check.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	io.Copy(io.Discard, io.LimitReader(answer.Body, 10<<10))
	if answer.StatusCode < 200 || answer.StatusCode >= 400 {
		return fmt.Errorf("HTTP status %d", answer.StatusCode)
	}
	return nil
}

func (m *member) dial(ctx context.Context, address string) (net.Conn, error) {
	deadline, _ := ctx.Deadline()
	return m.w.host.Lab.Dial(net.Dialer{Deadline: deadline}, "tcp4", address)
}

// at is where a probe goes: the pod's address unless it says another, a port by its number or its name.
func (m *member) at(host string, port intstr.IntOrString) string {
	if host == "" {
		host = m.w.address.String()
	}
	number := port.IntValue()
	for _, each := range m.spec.Ports {
		if port.Type == intstr.String && each.Name == port.StrVal {
			number = int(each.ContainerPort)
		}
	}
	return net.JoinHostPort(host, strconv.Itoa(number))
}

func period(probe *corev1.Probe) time.Duration {
	if probe.PeriodSeconds == 0 {
		return 10 * time.Second
	}
	return time.Duration(probe.PeriodSeconds) * time.Second
}
