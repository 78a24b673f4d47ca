package container

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"hansa/kube/node/netns"
)

// Container is a started container.
type Container struct {
	Pid     int
	Started time.Time
	spec    Spec
	done    chan struct{}
	// Code is the exit code, 128 + number where a signal ended it; valid once Done is closed.
	Code     int
	Finished time.Time
}

// InitArg is the argument with which this program becomes a container's first process (Init).
const InitArg = "container-init"

// Start runs a container in a pod's network namespace, with its output appended to a file.
func Start(spec Spec, space *netns.Netns, logFile string) (*Container, error) {
	log, err := os.OpenFile(logFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	specRead, specWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer specRead.Close()
	failRead, failWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer failRead.Close()
	command := exec.Command("/proc/self/exe", InitArg)
	command.Stdout, command.Stderr = log, log
	command.ExtraFiles = []*os.File{specRead, space.File(), failWrite}
	command.Env = []string{}
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
		Setsid:     true,
	}
	err = onStarter(command.Start)
	failWrite.Close()
	if err != nil {
		specWrite.Close()
		return nil, err
	}
	err = json.NewEncoder(specWrite).Encode(spec)
	specWrite.Close()
	// The pipe closes without a word when the program has taken the place of Init.
	if why, _ := io.ReadAll(failRead); err == nil && len(why) > 0 {
		err = fmt.Errorf("%s", why)
	}
	if err != nil {
		command.Process.Kill()
		command.Wait()
		return nil, err
	}
	c := &Container{Pid: command.Process.Pid, Started: time.Now(), spec: spec, done: make(chan struct{})}
	go c.wait(command)
	return c, nil
}

func (c *Container) wait(command *exec.Cmd) {
	command.Wait()
	c.Code = exitCode(command.ProcessState)
	c.Finished = time.Now()
	close(c.done)
}

// Done is closed when the container has ended.
func (c *Container) Done() <-chan struct{} { return c.done }

// Ended tells whether it has ended.
func (c *Container) Ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// Terminate asks the container to end. The kernel keeps SIGTERM from a first process that neither handles nor ignores it,
// and such a container would sit out its grace for nothing: it is killed at once.
func (c *Container) Terminate() {
	if c.Ended() {
		return
	}
	if c.knows(syscall.SIGTERM) {
		syscall.Kill(c.Pid, syscall.SIGTERM)
	} else {
		c.Kill()
	}
}

// Kill ends the container and all that it started: its first process takes the PID namespace along.
func (c *Container) Kill() {
	if !c.Ended() {
		syscall.Kill(c.Pid, syscall.SIGKILL)
	}
}

func (c *Container) knows(signal syscall.Signal) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Pid))
	if err != nil {
		return false
	}
	known := uint64(0)
	for _, line := range strings.Split(string(status), "\n") {
		if name, mask, _ := strings.Cut(line, ":"); name == "SigCgt" || name == "SigIgn" {
			bits, _ := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			known |= bits
		}
	}
	return known&(1<<(uint(signal)-1)) != 0
}

func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// starts are run by one thread that lasts as long as this process: the kernel takes the end of the thread that made a
// child for the end of its parent (PR_SET_PDEATHSIG).
var starts = make(chan func())

func init() {
	go func() {
		runtime.LockOSThread()
		for start := range starts {
			start()
		}
	}()
}

func onStarter(start func() error) error {
	done := make(chan error)
	starts <- func() { done <- start() }
	return <-done
}
