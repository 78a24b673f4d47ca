// Command node stands for the nodes of a Kubernetes lab's clusters: it runs their pods as processes in network namespaces.
// As `curl`, `nc`, `nslookup`, `socat` or `echo-server` it is one of the tools that images of the lab have.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"hansa/kube/node/applets"
	"hansa/kube/node/cluster"
	"hansa/kube/node/config"
	"hansa/kube/node/container"
	"hansa/kube/node/lab"
)

func init() {
	// The first thread is never one that has changed its namespace: it stands for the process in /proc.
	runtime.LockOSThread()
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == container.InitArg {
		container.Init()
	}
	if run, found := applets.Find(filepath.Base(os.Args[0])); found {
		os.Exit(run(os.Args[1:]))
	}
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: node CONFIG.json")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(file string) error {
	all, err := config.Read(file)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	backbone, err := lab.NewBackbone()
	if err != nil {
		return fmt.Errorf("%w; the lab's nodes need root, or a user namespace", err)
	}
	for _, each := range all.Clusters {
		if err := cluster.Start(ctx, all, each, backbone); err != nil {
			return fmt.Errorf("cluster %s: %w", each.Name, err)
		}
	}
	if err := os.WriteFile(filepath.Join(all.StateDir, "ready"), nil, 0o644); err != nil {
		return err
	}
	<-ctx.Done()
	// Until here: a file that nothing refers to is closed, and the kernel removes a namespace that nobody holds.
	runtime.KeepAlive(backbone)
	return nil
}
