// Package netns makes network namespaces that live as long as this process holds them, and runs code inside them.
// They have no names: nothing is left in /run/netns when the process is killed.
package netns

import (
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Netns is a network namespace, held by a file descriptor.
type Netns struct{ file *os.File }

// New makes an empty namespace.
func New() (*Netns, error) {
	var made *Netns
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("new network namespace: %w", err)
		}
		file, err := os.Open("/proc/thread-self/ns/net")
		made = &Netns{file}
		return err
	})
	return made, err
}

// Do runs a function on a thread inside the namespace. Sockets that it makes stay in there.
func (n *Netns) Do(run func() error) error {
	return onThread(func() error {
		if err := unix.Setns(n.Fd(), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace: %w", err)
		}
		return run()
	})
}

// Dial connects from inside the namespace. The address must be numeric: names are looked up on other threads.
func (n *Netns) Dial(dialer net.Dialer, network, address string) (conn net.Conn, err error) {
	err = n.Do(func() error {
		conn, err = dialer.Dial(network, address)
		return err
	})
	return conn, err
}

// Listen listens for TCP inside the namespace.
func (n *Netns) Listen(address string) (listener net.Listener, err error) {
	err = n.Do(func() error {
		listener, err = net.Listen("tcp4", address)
		return err
	})
	return listener, err
}

// ListenPacket listens for UDP inside the namespace.
func (n *Netns) ListenPacket(address string) (conn net.PacketConn, err error) {
	err = n.Do(func() error {
		conn, err = net.ListenPacket("udp4", address)
		return err
	})
	return conn, err
}

// Fd is the descriptor, valid until Close.
func (n *Netns) Fd() int { return int(n.file.Fd()) }

// File is what holds the namespace.
func (n *Netns) File() *os.File { return n.file }

// Close lets go of the namespace; the kernel removes it with its last process.
func (n *Netns) Close() error { return n.file.Close() }

// onThread runs a function on a thread of its own. A goroutine that ends while it is locked takes its thread along, so
// no other goroutine ever runs on one that has changed its namespace.
func onThread(run func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- run()
	}()
	return <-done
}
