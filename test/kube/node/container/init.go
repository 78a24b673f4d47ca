package container

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	specFd  = 3
	netnsFd = 4
	failFd  = 5
)

// Init is the first process of a container: it makes the container around itself and gives its place to the program.
// What goes wrong is written to the starter. Never returns.
func Init() {
	runtime.LockOSThread()
	err := become()
	fail := os.NewFile(failFd, "fail")
	fmt.Fprint(fail, err)
	os.Exit(127)
}

func become() error {
	var spec Spec
	if err := json.NewDecoder(os.NewFile(specFd, "spec")).Decode(&spec); err != nil {
		return err
	}
	if err := unix.Setns(netnsFd, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	if err := unix.Sethostname([]byte(spec.Hostname)); err != nil {
		return fmt.Errorf("host name: %w", err)
	}
	if err := enterRoot(spec); err != nil {
		return err
	}
	os.Clearenv()
	for _, each := range spec.Env {
		name, value, _ := strings.Cut(each, "=")
		os.Setenv(name, value)
	}
	if _, err := exec.LookPath(spec.Argv[0]); err != nil {
		return err
	}
	argv := spec.asUser(spec.Argv)
	file, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	unix.CloseOnExec(failFd)
	return fmt.Errorf("%s: %w", file, syscall.Exec(file, argv, spec.Env))
}

// enterRoot makes a private layer over the machine's files the root and puts the volumes in. Paths of the container are
// used only once it is the root, so that its links lead nowhere else.
func enterRoot(spec Spec) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	sources, err := openSources(spec.Mounts)
	if err != nil {
		return err
	}
	root, private, err := layOut(spec.Dir)
	if err != nil {
		return err
	}
	if err := unix.Chroot(root); err != nil {
		return fmt.Errorf("root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := writeFiles(spec.Files); err != nil {
		return err
	}
	for index, mount := range spec.Mounts {
		if err := addVolume(sources[index], mount); err != nil {
			return fmt.Errorf("volume at %s: %w", mount.Target, err)
		}
	}
	for _, path := range append(private, "/run", "/") {
		// Where a volume is, it hides what the root has there.
		isVolume := slices.ContainsFunc(spec.Mounts, func(mount Mount) bool { return filepath.Clean(mount.Target) == path })
		if !spec.ReadOnlyRoot || isVolume {
			continue
		}
		if err := unix.Mount("", path, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
			return fmt.Errorf("read-only %s: %w", path, err)
		}
	}
	if spec.Cwd != "" {
		return os.Chdir(spec.Cwd)
	}
	return nil
}

// openSources keeps the volumes reachable after the change of root.
func openSources(mounts []Mount) ([]int, error) {
	var opened []int
	for _, mount := range mounts {
		fd, err := unix.Open(mount.Source, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("volume at %s: %w", mount.Target, err)
		}
		opened = append(opened, fd)
	}
	return opened, nil
}

func writeFiles(files map[string]string) error {
	for path, text := range files {
		// It may be a link to what the container does not have.
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func addVolume(source int, mount Mount) error {
	path := fmt.Sprintf("/proc/self/fd/%d", source)
	if err := makeTarget(path, mount.Target); err != nil {
		return err
	}
	if err := unix.Mount(path, mount.Target, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if !mount.ReadOnly {
		return nil
	}
	return unix.Mount("", mount.Target, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
}

func makeTarget(source, target string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.MkdirAll(target, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(target, os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	return file.Close()
}
