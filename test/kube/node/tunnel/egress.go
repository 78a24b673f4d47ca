// Package tunnel carries connections across the border of a cluster's network namespace: the API server's into it, pods'
// to chosen servers out of it.
package tunnel

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"hansa/kube/node/config"
	"hansa/kube/node/lab"
)

const dialTimeout = 10 * time.Second

// ServeEgress is the HTTP CONNECT proxy through which an API server reaches nodes, Services and pods
// (EgressSelectorConfiguration, transport uds). Addresses of loopback are the machine's own, where webhooks of tests are.
func ServeEgress(path string, into *lab.Lab) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go connect(conn, into)
	}
}

func connect(client net.Conn, into *lab.Lab) {
	defer client.Close()
	reader := bufio.NewReader(client)
	request, err := http.ReadRequest(reader)
	if err != nil || request.Method != http.MethodConnect {
		io.WriteString(client, "HTTP/1.1 405 Method Not Allowed\r\n\r\n")
		return
	}
	server, err := dial(request.Host, into)
	if err != nil {
		io.WriteString(client, "HTTP/1.1 502 "+err.Error()+"\r\n\r\n")
		return
	}
	defer server.Close()
	if _, err := io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n"); err == nil {
		splice(server, client, reader)
	}
}

func dial(address string, into *lab.Lab) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	if target, err := netip.ParseAddrPort(address); err != nil || target.Addr().IsLoopback() {
		return dialer.Dial("tcp", address)
	}
	return into.Dial(dialer, "tcp4", address)
}

// ServeForward lets pods reach a server of the machine at an address of their node.
func ServeForward(listener net.Listener, forward config.Forward) error {
	for {
		client, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer client.Close()
			server, err := net.DialTimeout("tcp", forward.To, dialTimeout)
			if err != nil {
				return
			}
			defer server.Close()
			splice(server, client, client)
		}()
	}
}

// splice carries bytes both ways until both sides have ended. `rest` is where the client's are read.
func splice(server, client net.Conn, rest io.Reader) {
	done := make(chan struct{}, 2)
	go func() {
		io.Copy(server, rest)
		closeWrite(server)
		done <- struct{}{}
	}()
	go func() {
		io.Copy(client, server)
		closeWrite(client)
		done <- struct{}{}
	}()
	<-done
	<-done
}

func closeWrite(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}
