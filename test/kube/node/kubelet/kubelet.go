// Package kubelet serves what an API server asks of a node: commands in containers, and their output.
package kubelet

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/remotecommand"

	"hansa/kube/node/container"
	"hansa/kube/node/pods"
)

// Port is where nodes listen.
const Port = 10250

// Serve answers on listeners of one node until the process ends.
func Serve(listener net.Listener, manager *pods.Manager) error {
	certificate, err := selfSigned(listener.Addr().(*net.TCPAddr).IP)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	server := &server{manager}
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", server.exec)
	mux.HandleFunc("/exec/{namespace}/{pod}/{uid}/{container}", server.exec)
	mux.HandleFunc("/portForward/{namespace}/{pod}", server.portForward)
	mux.HandleFunc("/portForward/{namespace}/{pod}/{uid}", server.portForward)
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", server.logs)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	https := &http.Server{
		Handler:   mux,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
		// Upgrades need HTTP/1.1.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	return https.ServeTLS(listener, "", "")
}

type server struct{ manager *pods.Manager }

func (s *server) exec(w http.ResponseWriter, r *http.Request) {
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	namespace, pod, name := r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("container")
	argv := r.URL.Query()["command"]
	executor := &executor{s.manager, namespace}
	remotecommand.ServeExec(w, r, executor, pod, r.PathValue("uid"), name, argv, options, time.Hour, 30*time.Second,
		remotecommand.SupportedStreamingProtocols)
}

type executor struct {
	manager   *pods.Manager
	namespace string
}

// ExecInContainer gives a command that wants a terminal none, only its one stream for both outputs.
func (e *executor) ExecInContainer(
	ctx context.Context, pod, _, name string, argv []string, in io.Reader, out, err io.WriteCloser, tty bool,
	_ <-chan remotecommand.TerminalSize, _ time.Duration,
) error {
	streams := container.Streams{In: in}
	if out != nil {
		streams.Out = out
	}
	if err != nil {
		streams.Err = err
	} else if tty && out != nil {
		streams.Err = out
	}
	return e.manager.Exec(ctx, e.namespace, pod, name, argv, streams)
}

// logs knows follow, previous and tailLines.
func (s *server) logs(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	file, over, err := s.manager.Log(
		r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("container"), query.Get("previous") == "true")
	if err != nil {
		status := http.StatusNotFound
		if !errors.Is(err, os.ErrNotExist) {
			status = http.StatusInternalServerError
		}
		http.Error(w, err.Error(), status)
		return
	}
	defer file.Close()
	if lines, err := strconv.Atoi(query.Get("tailLines")); err == nil {
		if err := seekLines(file, lines); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	w.Header().Set("content-type", "text/plain")
	for follow := query.Get("follow") == "true"; ; {
		// Looked at before the copy: what is written until the end is then copied once more.
		ended := false
		select {
		case <-over:
			ended = true
		default:
		}
		if _, err := io.Copy(w, file); err != nil || !follow || ended {
			return
		}
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// seekLines goes to where the last lines of a file begin.
func seekLines(file *os.File, lines int) error {
	var starts []int64
	reader, at := bufio.NewReader(file), int64(0)
	for {
		line, err := reader.ReadBytes('\n')
		if len(line) > 0 {
			starts = append(starts, at)
		}
		at += int64(len(line))
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if first := len(starts) - lines; first <= 0 {
		at = 0
	} else if first < len(starts) {
		at = starts[first]
	}
	_, err := file.Seek(at, io.SeekStart)
	return err
}

// selfSigned is enough: API servers check a node's certificate only where they are told an authority for it.
func selfSigned(ip net.IP) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "node"},
		IPAddresses:  []net.IP{ip},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
