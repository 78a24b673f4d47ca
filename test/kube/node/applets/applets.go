// Package applets are the tools that tests call in pods, where the machine has none: as much of each as is called.
package applets

import (
	"errors"
	"fmt"
	"os"
)

// Find gives the tool of a name; it takes arguments and gives an exit code.
func Find(name string) (run func(args []string) int, found bool) {
	tools := map[string]func([]string) error{
		"curl": fetch, "nc": netcat, "nslookup": lookUp, "socat": relay, "echo-server": echo, "pause": pause,
		"iptables-restore": restoreIPv4, "ip6tables-restore": restoreIPv6,
	}
	tool, found := tools[name]
	return func(args []string) int {
		if err := tool(args); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			var failed coded
			if errors.As(err, &failed) {
				return failed.code
			}
			return 1
		}
		return 0
	}, found
}
