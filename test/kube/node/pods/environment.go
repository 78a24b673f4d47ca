package pods

import (
	"context"
	"fmt"
	"os"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hansa/kube/node/config"
)

// environment is what a container's program finds: the lab's, the image's, the pod's, the later ones winning.
type environment struct {
	names  []string
	values map[string]string
}

func (e *environment) set(name, value string) {
	if _, known := e.values[name]; !known {
		e.names = append(e.names, name)
	}
	e.values[name] = value
}

func (e *environment) list() []string {
	var list []string
	for _, name := range e.names {
		list = append(list, name+"="+e.values[name])
	}
	return list
}

// expand replaces $(NAME) where the name is set; $$ stands for one $.
func (e *environment) expand(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '$' || i+1 == len(text) {
			out.WriteByte(text[i])
			continue
		}
		if text[i+1] == '$' {
			out.WriteByte('$')
			i++
			continue
		}
		end := strings.IndexByte(text[i:], ')')
		if text[i+1] == '(' && end > 0 {
			if value, known := e.values[text[i+2:i+end]]; known {
				out.WriteString(value)
				i += end
				continue
			}
		}
		out.WriteByte('$')
	}
	return out.String()
}

func (w *worker) environment(ctx context.Context, spec corev1.Container, image config.Image) (*environment, error) {
	env := &environment{values: map[string]string{}}
	env.set("PATH", strings.Join(append(image.Path, os.Getenv("PATH")), ":"))
	env.set("HOME", "/tmp")
	env.set("HOSTNAME", w.pod.Name)
	env.set("LAB_CLUSTER", w.host.Cluster.Name)
	env.set("LAB_NAMESPACE", w.pod.Namespace)
	env.set("KUBERNETES_SERVICE_HOST", w.host.Cluster.KubernetesIP.String())
	env.set("KUBERNETES_SERVICE_PORT", "443")
	env.set("KUBERNETES_SERVICE_PORT_HTTPS", "443")
	for _, name := range sorted(image.Env) {
		env.set(name, image.Env[name])
	}
	for _, from := range spec.EnvFrom {
		if err := w.environmentFrom(ctx, env, from); err != nil {
			return nil, err
		}
	}
	for _, each := range spec.Env {
		value, found := env.expand(each.Value), true
		if each.ValueFrom != nil {
			var err error
			if value, found, err = w.valueFrom(ctx, each.ValueFrom); err != nil {
				return nil, fmt.Errorf("environment variable %s: %w", each.Name, err)
			}
		}
		if found {
			env.set(each.Name, value)
		}
	}
	return env, nil
}

func (w *worker) environmentFrom(ctx context.Context, env *environment, from corev1.EnvFromSource) error {
	values := map[string]string{}
	switch {
	case from.ConfigMapRef != nil:
		data, err := w.configMap(ctx, from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
		if err != nil {
			return err
		}
		values = texts(data)
	case from.SecretRef != nil:
		data, err := w.secret(ctx, from.SecretRef.Name, from.SecretRef.Optional)
		if err != nil {
			return err
		}
		values = texts(data)
	}
	for _, name := range sorted(values) {
		env.set(from.Prefix+name, values[name])
	}
	return nil
}

func (w *worker) valueFrom(ctx context.Context, from *corev1.EnvVarSource) (string, bool, error) {
	pick := func(data map[string][]byte, key string, optional *bool, err error) (string, bool, error) {
		value, found := data[key]
		if err == nil && !found && (optional == nil || !*optional) {
			err = fmt.Errorf("no key %s", key)
		}
		return string(value), found, err
	}
	switch {
	case from.FieldRef != nil:
		value, err := w.field(from.FieldRef.FieldPath)
		return value, true, err
	case from.ConfigMapKeyRef != nil:
		ref := from.ConfigMapKeyRef
		data, err := w.configMap(ctx, ref.Name, ref.Optional)
		return pick(data, ref.Key, ref.Optional, err)
	case from.SecretKeyRef != nil:
		ref := from.SecretKeyRef
		data, err := w.secret(ctx, ref.Name, ref.Optional)
		return pick(data, ref.Key, ref.Optional, err)
	default:
		return "", false, fmt.Errorf("the lab knows fieldRef, configMapKeyRef and secretKeyRef")
	}
}

// field is what fieldRef gives, in environments and in files.
func (w *worker) field(path string) (string, error) {
	pod := w.newest.Load()
	if name, key, keyed := strings.Cut(strings.TrimSuffix(path, "']"), "['"); keyed {
		switch name {
		case "metadata.labels":
			return pod.Labels[key], nil
		case "metadata.annotations":
			return pod.Annotations[key], nil
		}
	}
	values := map[string]string{
		"metadata.name":           pod.Name,
		"metadata.namespace":      pod.Namespace,
		"metadata.uid":            string(pod.UID),
		"metadata.labels":         quoted(pod.Labels),
		"metadata.annotations":    quoted(pod.Annotations),
		"spec.nodeName":           w.node.Name,
		"spec.serviceAccountName": pod.Spec.ServiceAccountName,
		"status.podIP":            w.address.String(),
		"status.podIPs":           w.address.String(),
		"status.hostIP":           w.node.IP.String(),
		"status.hostIPs":          w.node.IP.String(),
	}
	value, known := values[path]
	if !known {
		return "", fmt.Errorf("the lab does not know field %s", path)
	}
	return value, nil
}

// quoted is how the downward API writes labels into a file.
func quoted(values map[string]string) string {
	var out strings.Builder
	for _, name := range sorted(values) {
		fmt.Fprintf(&out, "%s=%q\n", name, values[name])
	}
	return out.String()
}

func (w *worker) configMap(ctx context.Context, name string, optional *bool) (map[string][]byte, error) {
	found, err := w.host.Client.CoreV1().ConfigMaps(w.pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, unlessOptional(err, optional)
	}
	data := map[string][]byte{}
	for key, text := range found.Data {
		data[key] = []byte(text)
	}
	for key, bytes := range found.BinaryData {
		data[key] = bytes
	}
	return data, nil
}

func (w *worker) secret(ctx context.Context, name string, optional *bool) (map[string][]byte, error) {
	found, err := w.host.Client.CoreV1().Secrets(w.pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, unlessOptional(err, optional)
	}
	return found.Data, nil
}

func texts(data map[string][]byte) map[string]string {
	values := map[string]string{}
	for key, bytes := range data {
		values[key] = string(bytes)
	}
	return values
}

func sorted[V any](values map[string]V) []string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
