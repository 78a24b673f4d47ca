package applets

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// netcat is `nc [-v] [-z] [-u] [-4] [-w SECONDS] HOST PORT`: what is read from stdin goes there, what comes back is written.
func netcat(args []string) error {
	flags := flag.NewFlagSet("nc", flag.ContinueOnError)
	verbose, scan, udp := flags.Bool("v", false, ""), flags.Bool("z", false, ""), flags.Bool("u", false, "")
	four, wait := flags.Bool("4", false, ""), flags.Int("w", 10, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 2 {
		return fmt.Errorf("usage: nc [-v] [-z] [-u] [-4] [-w SECONDS] HOST PORT")
	}
	network := "tcp"
	if *udp {
		network = "udp"
	}
	if *four {
		network += "4"
	}
	patience := time.Duration(*wait) * time.Second
	at := net.JoinHostPort(flags.Arg(0), flags.Arg(1))
	conn, err := net.DialTimeout(network, at, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	if *verbose {
		fmt.Fprintf(os.Stderr, "Connection to %s %s port [%s] succeeded!\n", flags.Arg(0), flags.Arg(1), conn.RemoteAddr())
	}
	if *scan {
		return nil
	}
	go func() {
		io.Copy(conn, os.Stdin)
		if half, ok := conn.(*net.TCPConn); ok {
			half.CloseWrite()
		}
	}()
	// As -w has it: nothing for that long ends it, and is no failure.
	buffer := make([]byte, 32<<10)
	for {
		conn.SetReadDeadline(time.Now().Add(patience))
		count, err := conn.Read(buffer)
		os.Stdout.Write(buffer[:count])
		if err != nil {
			return nil
		}
	}
}
