// Package container runs one program as a container: in namespaces of its own, on a private layer over the machine's
// files, with volumes where the pod wants them. It knows nothing of Kubernetes.
package container

// Spec is all that a container's first process is told.
type Spec struct {
	// Dir is a folder of the container's own on the machine.
	Dir      string
	Hostname string
	Argv     []string
	Env      []string
	// Cwd defaults to the root folder.
	Cwd    string
	Mounts []Mount
	// Files are written into the root: path to text.
	Files        map[string]string
	ReadOnlyRoot bool
	UID, GID     int
	// NoNewPrivileges is allowPrivilegeEscalation: false.
	NoNewPrivileges bool
}

// Mount shows a file or folder of the machine at a path of the container.
type Mount struct {
	Source   string
	Target   string
	ReadOnly bool
}
