package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	// handshakes is how many streams are opened at once.
	handshakes = 32
	// patience for one round or one first answer, on a machine that does other things as well.
	patience = 60 * time.Second
	// settle lets the server read the last ACKs before its CPU time is asked for.
	settle = 30 * time.Millisecond
)

// fleet is all streams, and the one round that is under way.
type fleet struct {
	target  string
	control string
	names   int
	creds   credentials.TransportCredentials
	callers []caller
	streams []*stream
	// follows: responses come when they come, and are counted by somebody else.
	follows bool

	mu       sync.Mutex
	waiting  int
	started  time.Time
	arrivals []time.Duration
	bytes    int
	done     chan struct{}
	failed   chan error
}

func newFleet(target, control string, streams, names int, cert, key, ca string) (*fleet, error) {
	f := &fleet{
		target: target, control: control, names: names, streams: make([]*stream, streams),
		creds: insecure.NewCredentials(), done: make(chan struct{}, 1), failed: make(chan error, 1),
	}
	if ca == "" {
		return f, nil
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS13}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	config.RootCAs.AppendCertsFromPEM(pem)
	f.creds = credentials.NewTLS(config)
	return f, nil
}

type connected struct {
	// ResourcesSent to streams that had named the versions of everything.
	ResourcesSent int     `json:"resourcesSent"`
	Removed       int     `json:"removed"`
	WarmStreams   int     `json:"warmStreams"`
	CPUUsPerWarm  float64 `json:"cpuUsPerWarm"`
}

func (f *fleet) connect() (connected, error) {
	first, err := openStream(f, f.callers[0], nil, map[string]string{})
	if err != nil {
		return connected{}, err
	}
	f.streams[0] = first
	if err := first.readFirst(f.names); err != nil {
		return connected{}, err
	}
	first.serve()
	return f.connectWarm(f.streams[1:], f.callers[1:], first.versionsCopy())
}

func (f *fleet) reconnect() (connected, error) {
	versions := f.streams[0].versionsCopy()
	for _, one := range f.streams {
		one.close()
	}
	time.Sleep(settle)
	return f.connectWarm(f.streams, f.callers, versions)
}

// connectWarm opens `streams` with `versions`; the first of the fleet goes on keeping count of them.
func (f *fleet) connectWarm(streams []*stream, callers []caller, versions map[string]string) (connected, error) {
	before, err := f.cpuUs()
	if err != nil {
		return connected{}, err
	}
	var group sync.WaitGroup
	gate := make(chan struct{}, handshakes)
	problems := make(chan error, len(streams))
	for index := range streams {
		keepsCount := index == 0 && len(streams) == len(f.streams)
		group.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			var kept map[string]string
			if keepsCount {
				kept = versions
			}
			one, err := openStream(f, callers[index], versions, kept)
			if err == nil {
				streams[index] = one
				err = one.readFirst(0)
			}
			if err != nil {
				problems <- err
			}
		})
	}
	group.Wait()
	select {
	case err := <-problems:
		return connected{}, err
	default:
	}
	time.Sleep(settle)
	after, err := f.cpuUs()
	result := connected{WarmStreams: len(streams)}
	for _, one := range streams {
		result.ResourcesSent += one.firstResources
		result.Removed += one.firstRemoved
		one.serve()
	}
	if len(streams) > 0 {
		result.CPUUsPerWarm = float64(after-before) / float64(len(streams))
	}
	return result, err
}

type measured struct {
	Rounds       int     `json:"rounds"`
	Pushes       int     `json:"pushes"`
	CPUUsPerPush float64 `json:"cpuUsPerPush"`
	BytesPerPush float64 `json:"bytesPerPush"`
	P50Ms        float64 `json:"p50Ms"`
	P99Ms        float64 `json:"p99Ms"`
}

func (f *fleet) rounds(atLeast time.Duration, roundsMin int) (measured, error) {
	f.arrivals, f.bytes = f.arrivals[:0], 0
	before, err := f.cpuUs()
	if err != nil {
		return measured{}, err
	}
	begun := time.Now()
	count := 0
	for ; count < roundsMin || time.Since(begun) < atLeast; count++ {
		if err := f.round(); err != nil {
			return measured{}, err
		}
	}
	time.Sleep(settle)
	after, err := f.cpuUs()
	pushes := count * len(f.streams)
	slices.Sort(f.arrivals)
	at := func(share float64) float64 {
		return float64(f.arrivals[int(share*float64(len(f.arrivals)-1))].Microseconds()) / 1000
	}
	return measured{
		Rounds: count, Pushes: pushes,
		CPUUsPerPush: float64(after-before) / float64(pushes), BytesPerPush: float64(f.bytes) / float64(pushes),
		P50Ms: at(0.5), P99Ms: at(0.99),
	}, err
}

func (f *fleet) round() error {
	f.mu.Lock()
	f.waiting = len(f.streams)
	f.started = time.Now()
	f.mu.Unlock()
	response, err := http.Post(f.control+"/step", "", nil)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("POST /step: %s", response.Status)
	}
	select {
	case <-f.done:
		return nil
	case err := <-f.failed:
		return err
	case <-time.After(patience):
		return fmt.Errorf("a round did not reach %d streams within %s", f.waiting, patience)
	}
}

// arrived counts one response with the one changed assignment, after its ACK was sent.
func (f *fleet) arrived(sizeBytes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.arrivals = append(f.arrivals, time.Since(f.started))
	f.bytes += sizeBytes
	f.waiting--
	if f.waiting == 0 {
		f.done <- struct{}{}
	}
}

func (f *fleet) fail(err error) {
	select {
	case f.failed <- err:
	default:
	}
}

func (f *fleet) cpuUs() (int64, error) {
	if f.control == "" {
		return 0, nil
	}
	response, err := http.Get(f.control + "/usage")
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var usage struct {
		CPUUs int64 `json:"cpuUs"`
	}
	return usage.CPUUs, json.NewDecoder(response.Body).Decode(&usage)
}
