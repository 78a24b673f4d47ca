package container

import (
	"os"
	"strconv"
	"strings"
)

// asUser puts a command under setpriv, which makes it the container's user and lets it gain nothing.
func (s Spec) asUser(argv []string) []string {
	// A change of user clears it, so that it is asked for after that.
	flags := []string{"setpriv", "--pdeathsig", "KILL"}
	if s.NoNewPrivileges {
		flags = append(flags, "--no-new-privs")
	}
	if (s.UID != 0 || s.GID != 0) && !oneUser() {
		// What stands for an image may lie where only its owner can read it; an image's own files everybody can.
		reads := "-all,+dac_read_search"
		flags = append(flags, "--reuid", strconv.Itoa(s.UID), "--regid", strconv.Itoa(s.GID), "--clear-groups",
			"--inh-caps", reads, "--ambient-caps", reads)
	}
	return append(append(flags, "--"), argv...)
}

// oneUser tells whether this is a user namespace that has root alone, as whom everything then runs.
func oneUser() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false
	}
	fields := strings.Fields(string(text))
	return len(fields) == 3 && fields[2] == "1"
}
