package pods

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hansa/kube/node/container"
)

// refreshEvery is how often a pod's files are written anew from what they are made of, as a kubelet's sync does.
const refreshEvery = 30 * time.Second

// issuedToken is kept until most of its life is over.
type issuedToken struct {
	text      string
	refreshAt time.Time
}

func (w *worker) volumeDir(name string) string {
	return filepath.Join(w.host.podDir(w.pod), "volumes", name)
}

// writeVolumes makes the folders of all volumes and brings their files up to date.
func (w *worker) writeVolumes(ctx context.Context) error {
	for _, volume := range w.pod.Spec.Volumes {
		dir := w.volumeDir(volume.Name)
		if volume.EmptyDir != nil {
			// Any user of the pod may write there.
			if err := os.MkdirAll(dir, 0o777); err != nil {
				return err
			}
			if err := os.Chmod(dir, 0o777); err != nil {
				return err
			}
			continue
		}
		files, err := w.volumeFiles(ctx, volume)
		if err != nil {
			return fmt.Errorf("volume %s: %w", volume.Name, err)
		}
		if err := writeFiles(dir, files); err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) volumeFiles(ctx context.Context, volume corev1.Volume) (map[string][]byte, error) {
	sources := []corev1.VolumeProjection{{}}
	switch {
	case volume.Projected != nil:
		sources = volume.Projected.Sources
	case volume.ConfigMap != nil:
		from := volume.ConfigMap
		sources[0].ConfigMap = &corev1.ConfigMapProjection{
			LocalObjectReference: from.LocalObjectReference, Items: from.Items, Optional: from.Optional,
		}
	case volume.Secret != nil:
		from := volume.Secret
		name := corev1.LocalObjectReference{Name: from.SecretName}
		sources[0].Secret = &corev1.SecretProjection{LocalObjectReference: name, Items: from.Items, Optional: from.Optional}
	case volume.DownwardAPI != nil:
		sources[0].DownwardAPI = &corev1.DownwardAPIProjection{Items: volume.DownwardAPI.Items}
	}
	files := map[string][]byte{}
	for _, source := range sources {
		if err := w.project(ctx, source, files); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func (w *worker) project(ctx context.Context, source corev1.VolumeProjection, files map[string][]byte) error {
	switch {
	case source.ConfigMap != nil:
		data, err := w.configMap(ctx, source.ConfigMap.Name, source.ConfigMap.Optional)
		if err != nil {
			return err
		}
		return pickItems(data, source.ConfigMap.Items, files)
	case source.Secret != nil:
		data, err := w.secret(ctx, source.Secret.Name, source.Secret.Optional)
		if err != nil {
			return err
		}
		return pickItems(data, source.Secret.Items, files)
	case source.DownwardAPI != nil:
		for _, item := range source.DownwardAPI.Items {
			value, err := w.field(item.FieldRef.FieldPath)
			if err != nil {
				return err
			}
			files[item.Path] = []byte(value)
		}
	case source.ServiceAccountToken != nil:
		token, err := w.token(ctx, source.ServiceAccountToken)
		if err != nil {
			return err
		}
		files[source.ServiceAccountToken.Path] = []byte(token)
	}
	return nil
}

func pickItems(data map[string][]byte, items []corev1.KeyToPath, files map[string][]byte) error {
	if len(items) == 0 {
		for key, value := range data {
			files[key] = value
		}
	}
	for _, item := range items {
		value, found := data[item.Key]
		if !found && data != nil {
			return fmt.Errorf("no key %s", item.Key)
		}
		files[item.Path] = value
	}
	return nil
}

// token asks for a token that is bound to the pod, and again when four fifths of its life are over.
func (w *worker) token(ctx context.Context, source *corev1.ServiceAccountTokenProjection) (string, error) {
	key := fmt.Sprint(source.Audience, "/", source.Path)
	if kept, found := w.tokens[key]; found && time.Now().Before(kept.refreshAt) {
		return kept.text, nil
	}
	spec := authenticationv1.TokenRequestSpec{
		ExpirationSeconds: source.ExpirationSeconds,
		BoundObjectRef: &authenticationv1.BoundObjectReference{
			APIVersion: "v1", Kind: "Pod", Name: w.pod.Name, UID: w.pod.UID,
		},
	}
	if source.Audience != "" {
		spec.Audiences = []string{source.Audience}
	}
	request := &authenticationv1.TokenRequest{Spec: spec}
	accounts := w.host.Client.CoreV1().ServiceAccounts(w.pod.Namespace)
	issued, err := accounts.CreateToken(ctx, w.pod.Spec.ServiceAccountName, request, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	life := time.Until(issued.Status.ExpirationTimestamp.Time)
	w.tokens[key] = issuedToken{issued.Status.Token, time.Now().Add(life * 4 / 5)}
	return issued.Status.Token, nil
}

// writeFiles makes the files of a volume what they should be. Each is replaced whole: no reader sees half of one.
func writeFiles(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if now, err := os.ReadFile(path); err == nil && bytes.Equal(now, content) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		draft := filepath.Join(filepath.Dir(path), ".."+filepath.Base(path))
		if err := os.WriteFile(draft, content, 0o644); err != nil {
			return err
		}
		if err := os.Rename(draft, path); err != nil {
			return err
		}
	}
	return nil
}

// mounts says where a container wants the volumes.
func (w *worker) mounts(spec corev1.Container, env *environment) []container.Mount {
	var mounts []container.Mount
	for _, each := range spec.VolumeMounts {
		sub := each.SubPath
		if each.SubPathExpr != "" {
			sub = env.expand(each.SubPathExpr)
		}
		mounts = append(mounts, container.Mount{
			Source:   filepath.Join(w.volumeDir(each.Name), sub),
			Target:   each.MountPath,
			ReadOnly: each.ReadOnly,
		})
	}
	return mounts
}

func unlessOptional(err error, optional *bool) error {
	if optional != nil && *optional && apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
