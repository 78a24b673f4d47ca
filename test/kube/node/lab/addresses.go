package lab

import (
	"fmt"
	"net/netip"
	"sync"
)

// Addresses hands out the addresses of a range, each again only after all others: a pod's address should not soon be
// another's.
type Addresses struct {
	mu     sync.Mutex
	prefix netip.Prefix
	last   netip.Addr
	first  netip.Addr
	taken  map[netip.Addr]bool
}

// NewAddresses hands out from `first` on.
func NewAddresses(prefix netip.Prefix, first netip.Addr) *Addresses {
	return &Addresses{prefix: prefix, first: first, last: first.Prev(), taken: map[netip.Addr]bool{}}
}

// Take returns an address that nobody has.
func (a *Addresses) Take() (netip.Addr, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for tries := 0; tries < 1<<16; tries++ {
		next := a.last.Next()
		if !a.prefix.Contains(next) {
			next = a.first
		}
		a.last = next
		if !a.taken[next] {
			a.taken[next] = true
			return next, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("%s: no address is free", a.prefix)
}

// Claim takes one address in particular; false where somebody has it.
func (a *Addresses) Claim(address netip.Addr) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.taken[address] || !a.prefix.Contains(address) {
		return false
	}
	a.taken[address] = true
	return true
}

// Release gives an address back.
func (a *Addresses) Release(address netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.taken, address)
}
