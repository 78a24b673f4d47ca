package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc/metadata"
)

// caller is who a stream says it is.
type caller struct {
	node  string
	token string
}

// readCallers reads as many as there are streams; without a file all are the same node.
func readCallers(file string, streams int) ([]caller, error) {
	callers := make([]caller, streams)
	if file == "" {
		for index := range callers {
			callers[index].node = "bench"
		}
		return callers, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(string(text))
	if len(words) != 2*streams {
		return nil, fmt.Errorf("%s: %d words for %d streams", file, len(words), streams)
	}
	for index := range callers {
		callers[index] = caller{node: words[2*index], token: words[2*index+1]}
	}
	return callers, nil
}

func (c caller) metadata(ctx context.Context) context.Context {
	if c.token == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.token)
}
