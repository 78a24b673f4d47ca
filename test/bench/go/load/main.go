// Command load is the client side of the xDS benchmark, the same for every server under test: N delta ADS streams, each
// on a connection of its own, that want all load assignments and acknowledge every response.
//
// It is told what to do on its standard input and answers every command with one line of JSON:
//
//	connect           first stream cold, all others with the versions that it has got
//	follow            the same, and from then on every response is acknowledged and none is counted
//	rounds MS MIN     rounds for MS milliseconds, at least MIN of them
//	reconnect         ends all streams and opens them again with their versions
//
// A round: POST /step makes the server change one assignment by itself; the next one begins when every stream has got
// it and has sent its ACK. The server's CPU time is read from GET /usage before the first and after the last round.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	target := flag.String("target", "", "HOST:PORT of the server")
	control := flag.String("control", "", "URL of its control API")
	streams := flag.Int("streams", 1, "how many")
	names := flag.Int("names", 1, "how many assignments there are")
	cert := flag.String("cert", "", "client certificate (PEM); none = plaintext")
	key := flag.String("key", "", "its key")
	ca := flag.String("ca", "", "what the server must chain to; none = plaintext")
	callers := flag.String("callers", "", "file with `NODE-ID TOKEN` of each stream, one a line; none = all are one node")
	flag.Parse()

	fleet, err := newFleet(*target, *control, *streams, *names, *cert, *key, *ca)
	check(err)
	fleet.callers, err = readCallers(*callers, *streams)
	check(err)
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		answer, err := run(fleet, strings.Fields(commands.Text()))
		check(err)
		check(json.NewEncoder(os.Stdout).Encode(answer))
	}
}

func run(fleet *fleet, words []string) (any, error) {
	switch {
	case len(words) == 1 && words[0] == "connect":
		return fleet.connect()
	case len(words) == 1 && words[0] == "follow":
		fleet.follows = true
		return fleet.connect()
	case len(words) == 1 && words[0] == "reconnect":
		return fleet.reconnect()
	case len(words) == 3 && words[0] == "rounds":
		ms, msErr := strconv.Atoi(words[1])
		atLeast, minErr := strconv.Atoi(words[2])
		if msErr == nil && minErr == nil {
			return fleet.rounds(time.Duration(ms)*time.Millisecond, atLeast)
		}
	}
	return nil, fmt.Errorf("%q: connect, follow, reconnect or rounds MS MIN", words)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
