package main

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"google.golang.org/grpc"
)

// stream is one client: one connection, one delta ADS stream.
type stream struct {
	fleet  *fleet
	conn   *grpc.ClientConn
	call   grpc.ClientStream
	cancel context.CancelFunc
	closed bool

	// versions is kept by one stream of the fleet: all streams get the same.
	mu       sync.Mutex
	versions map[string]string

	firstResources int
	firstRemoved   int
}

// openStream asks for everything that is not among `held`, and keeps count of versions in `versions` where that is not nil.
func openStream(f *fleet, who caller, held, versions map[string]string) (*stream, error) {
	conn, err := grpc.NewClient(f.target, grpc.WithTransportCredentials(f.creds),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(256<<20)))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(who.metadata(context.Background()))
	call, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method,
		grpc.WaitForReady(true))
	if err == nil {
		err = call.SendMsg(firstRequest(who.node, held))
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return &stream{fleet: f, conn: conn, call: call, cancel: cancel, versions: versions}, nil
}

// readFirst takes and acknowledges the first answer, or as many as bring `names` resources.
func (s *stream) readFirst(names int) error {
	giveUp := time.AfterFunc(patience, s.cancel)
	defer giveUp.Stop()
	for {
		got, _, err := s.receive()
		if err != nil {
			return err
		}
		s.firstResources += len(got.resources)
		s.firstRemoved += got.removed
		if s.firstResources >= names {
			return nil
		}
	}
}

// serve takes rounds until the stream is closed.
func (s *stream) serve() {
	go func() {
		for {
			got, size, err := s.receive()
			if s.isClosed() {
				return
			}
			if err == nil && s.fleet.follows {
				continue
			}
			if err == nil && (len(got.resources) != 1 || got.removed != 0) {
				err = fmt.Errorf("a round brought %d resources and %d removals, not one change",
					len(got.resources), got.removed)
			}
			if err != nil {
				s.fleet.fail(err)
				return
			}
			s.fleet.arrived(size)
		}
	}()
}

func (s *stream) receive() (response, int, error) {
	var message []byte
	if err := s.call.RecvMsg(&message); err != nil {
		return response{}, 0, err
	}
	got := readResponse(message)
	if s.versions != nil {
		s.mu.Lock()
		for _, resource := range got.resources {
			name, version := nameAndVersion(resource)
			s.versions[name] = version
		}
		s.mu.Unlock()
	}
	return got, len(message), s.call.SendMsg(acknowledgement(got.nonce))
}

func (s *stream) versionsCopy() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.versions)
}

func (s *stream) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	_ = s.conn.Close()
}

func (s *stream) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}
