package cluster

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"hansa/kube/node/dns"
	"hansa/kube/node/pods"
	"hansa/kube/node/services"
)

// resync has what failed without a change looked at again, such as a pod that could not be bound.
const resync = 30 * time.Second

// sight is what the emulator sees of an API server, and who is told of it.
type sight struct {
	client   kubernetes.Interface
	services *services.Controller
	pods     *pods.Manager
	stubs    dns.Stubs
	now      atomic.Pointer[services.View]
	close    context.CancelFunc
}

func (s *sight) view() services.View { return *s.now.Load() }

// open lists and watches until the context ends; it returns when all has been listed.
func (s *sight) open(ctx context.Context) error {
	ctx, s.close = context.WithCancel(ctx)
	all := informers.NewSharedInformerFactory(s.client, resync)
	system := informers.NewSharedInformerFactoryWithOptions(s.client, 0, informers.WithNamespace("kube-system"))
	core, slices := all.Core().V1(), all.Discovery().V1().EndpointSlices()
	s.now.Store(&services.View{Services: core.Services().Lister(), Slices: slices.Lister()})
	for _, each := range []struct {
		informer cache.SharedIndexInformer
		handler  cache.ResourceEventHandler
	}{
		{core.Services().Informer(), s.services.Handler()},
		{slices.Informer(), s.services.Handler()},
		{core.Pods().Informer(), s.pods.Handler()},
		{system.Core().V1().ConfigMaps().Informer(), s.stubs.Handler()},
	} {
		if _, err := each.informer.AddEventHandler(each.handler); err != nil {
			return err
		}
	}
	for _, each := range []informers.SharedInformerFactory{all, system} {
		each.Start(ctx.Done())
		each.WaitForCacheSync(ctx.Done())
	}
	listed, err := core.Pods().Lister().List(labels.Everything())
	s.pods.Retain(listed)
	s.services.Again()
	return err
}

// reopen starts from a new list at each SIGHUP. A watch of client-go waits for ever where an API server was set back to a
// backup, since what it has seen is yet to come; kubelets are restarted then, which would end all pods of the lab.
func (s *sight) reopen(ctx context.Context) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
		}
		s.close()
		if err := s.open(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "list and watch:", err)
		}
	}
}
