package dns

import (
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
)

// Stubs are read from the ConfigMap `coredns`, as CoreDNS' plugin `reload` does.
type Stubs struct {
	now atomic.Pointer[map[string]string]
}

// Get is for Server.Stubs.
func (s *Stubs) Get() map[string]string {
	if now := s.now.Load(); now != nil {
		return *now
	}
	return nil
}

// Handler is for an informer of ConfigMaps in kube-system.
func (s *Stubs) Handler() cache.ResourceEventHandler {
	see := func(obj any) {
		if of := obj.(*corev1.ConfigMap); of.Name == "coredns" {
			stubs := stubsOf(of.Data["Corefile"])
			s.now.Store(&stubs)
		}
	}
	return cache.ResourceEventHandlerFuncs{AddFunc: see, UpdateFunc: func(_, obj any) { see(obj) }}
}
