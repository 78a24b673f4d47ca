package container

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// layOut makes a root folder that shows the machine's files and keeps what is written to them, in memory. Each folder of
// the machine's root has a layer of its own: a user namespace may lay none over a tree in which others have mounted
// something. Such a folder is shown as it is. It gives the root and the paths in it that are layers.
func layOut(dir string) (root string, private []string, err error) {
	busy, err := mountPoints(dir)
	if err != nil {
		return "", nil, err
	}
	layers := filepath.Join(dir, "layers")
	root = filepath.Join(layers, "root")
	for _, each := range []string{layers, root} {
		if err := os.MkdirAll(each, 0o755); err != nil {
			return "", nil, err
		}
		if err := unix.Mount("tmpfs", each, "tmpfs", 0, "mode=0755"); err != nil {
			return "", nil, fmt.Errorf("tmpfs: %w", err)
		}
	}
	entries, err := os.ReadDir("/")
	if err != nil {
		return "", nil, err
	}
	for _, entry := range entries {
		path := "/" + entry.Name()
		taken := slices.ContainsFunc(busy, func(mount string) bool { return under(mount, path) })
		if err := show(path, layers, root, taken); err != nil {
			return "", nil, fmt.Errorf("%s: %w", path, err)
		}
		if entry.IsDir() && !taken && !slices.Contains(anew, path) {
			private = append(private, path)
		}
	}
	return root, private, nil
}

// anew are folders that a container has to itself: /proc is that of its own processes.
var anew = []string{"/proc", "/run"}

// show puts one entry of the machine's root into a container's. Single files are left out.
func show(path, layers, root string, taken bool) error {
	target := filepath.Join(root, path)
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode()&os.ModeSymlink != 0 {
		to, err := os.Readlink(path)
		if err != nil {
			return err
		}
		return os.Symlink(to, target)
	}
	if !info.IsDir() {
		return nil
	}
	if err := os.Mkdir(target, info.Mode().Perm()); err != nil {
		return err
	}
	switch {
	case path == "/proc":
		return unix.Mount("proc", target, "proc", 0, "")
	case path == "/run":
		return unix.Mount("tmpfs", target, "tmpfs", 0, "mode=0755")
	case taken:
		return unix.Mount(path, target, "", unix.MS_BIND|unix.MS_REC, "")
	default:
		return overlay(path, layers, target)
	}
}

func overlay(lower, layers, target string) error {
	upper, work := filepath.Join(layers, "upper", lower), filepath.Join(layers, "work", lower)
	for _, each := range []string{upper, work} {
		if err := os.MkdirAll(each, 0o755); err != nil {
			return err
		}
	}
	// The upper folder's mode is what the merged one shows.
	if info, err := os.Stat(lower); err == nil {
		if err := os.Chmod(upper, info.Mode()); err != nil {
			return err
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work)
	err := unix.Mount("overlay", target, "overlay", 0, options)
	if err != nil {
		// In a user namespace it may keep its notes only where users may.
		err = unix.Mount("overlay", target, "overlay", 0, options+",userxattr")
	}
	return err
}

// mountPoints lists what is mounted on the machine beside its root and the container's own folder.
func mountPoints(dir string) (found []string, err error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	for _, line := range strings.Split(string(text), "\n") {
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] != "/" && !under(fields[4], dir) {
			found = append(found, fields[4])
		}
	}
	return found, err
}

func under(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}
