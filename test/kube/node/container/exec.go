package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	utilexec "k8s.io/utils/exec"
)

// Streams of a command; each may be nil.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Exec runs a command beside the container's first process. A command that ends badly gives utilexec.CodeExitError; the
// end of the context kills it.
func (c *Container) Exec(ctx context.Context, argv []string, streams Streams) error {
	flags := []string{"--target", strconv.Itoa(c.Pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"}
	command := exec.Command("nsenter", append(append(flags, "--"), c.spec.asUser(argv)...)...)
	command.Env = c.spec.Env
	command.Stdout, command.Stderr = streams.Out, streams.Err
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	// What the command leaves behind may hold its output open; the answer does not wait for that.
	command.WaitDelay = time.Second
	if streams.In != nil {
		// Not command.Stdin: Wait would wait for a reader that never ends.
		stdin, err := command.StdinPipe()
		if err != nil {
			return err
		}
		go func() {
			io.Copy(stdin, streams.In)
			stdin.Close()
		}()
	}
	if err := onStarter(command.Start); err != nil {
		return err
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-ctx.Done():
			syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		case <-ended:
		}
	}()
	err := command.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exited *exec.ExitError
	if errors.As(err, &exited) {
		code := exitCode(exited.ProcessState)
		return utilexec.CodeExitError{Err: fmt.Errorf("command ended with %d", code), Code: code}
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	return err
}
