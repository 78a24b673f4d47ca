package kubelet

import (
	"context"
	"io"
	"net/http"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/portforward"

	"hansa/kube/node/pods"
)

// portForward is `kubectl port-forward`.
func (s *server) portForward(w http.ResponseWriter, r *http.Request) {
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	to := &forwarder{s.manager, r.PathValue("namespace")}
	portforward.ServePortForward(w, r, to, r.PathValue("pod"), r.PathValue("uid"), options, time.Hour, 30*time.Second,
		portforward.SupportedProtocols)
}

type forwarder struct {
	manager   *pods.Manager
	namespace string
}

// PortForward carries one connection until either side ends it.
func (f *forwarder) PortForward(_ context.Context, pod, _ string, port int32, stream io.ReadWriteCloser) error {
	conn, err := f.manager.Dial(f.namespace, pod, port)
	if err != nil {
		return err
	}
	defer conn.Close()
	done := make(chan struct{}, 2)
	for _, way := range []struct{ to, from io.ReadWriter }{{conn, stream}, {stream, conn}} {
		go func() {
			io.Copy(way.to, way.from)
			done <- struct{}{}
		}()
	}
	<-done
	return nil
}
