package applets

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
)

// relay is `socat [-v …] TCP-LISTEN:PORT,… SYSTEM:COMMAND` and the same with UDP-LISTEN: each caller, or datagram, is
// answered by a run of the command.
func relay(args []string) error {
	var listen, command string
	for _, arg := range args {
		switch kind, rest, _ := strings.Cut(arg, ":"); {
		case strings.HasPrefix(arg, "-"):
		case listen == "":
			listen = kind + ":" + strings.Split(rest, ",")[0]
		case kind == "SYSTEM":
			command = rest
		}
	}
	kind, port, _ := strings.Cut(listen, ":")
	switch {
	case command == "":
		return fmt.Errorf("the lab knows TCP-LISTEN and UDP-LISTEN with SYSTEM only")
	case kind == "TCP-LISTEN" || kind == "TCP4-LISTEN":
		return serveStreams(port, command)
	case kind == "UDP-LISTEN" || kind == "UDP4-LISTEN":
		return serveDatagrams(port, command)
	}
	return fmt.Errorf("the lab does not know %s", kind)
}

func serveStreams(port, command string) error {
	listener, err := net.Listen("tcp4", ":"+port)
	if err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			shell := exec.Command("sh", "-c", command)
			shell.Stdout, shell.Stderr = conn, os.Stderr
			shell.Run()
		}()
	}
}

func serveDatagrams(port, command string) error {
	conn, err := net.ListenPacket("udp4", ":"+port)
	if err != nil {
		return err
	}
	buffer := make([]byte, 64<<10)
	for {
		_, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return err
		}
		go func() {
			if answer, err := exec.Command("sh", "-c", command).Output(); err == nil {
				conn.WriteTo(answer, from)
			}
		}()
	}
}
