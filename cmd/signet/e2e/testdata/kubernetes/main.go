// Command kubernetes decodes manifests strictly into the types of the Kubernetes API and of the Prometheus operator: a field that does
// not exist, or exists twice, is an error. It reads YAML documents from standard input and writes each as a line of JSON.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

// kinds has a value of each type, by apiVersion and kind.
var kinds = map[string]func() any{
	"apps/v1 Deployment":                      func() any { return new(apps.Deployment) },
	"apps/v1 StatefulSet":                     func() any { return new(apps.StatefulSet) },
	"autoscaling/v2 HorizontalPodAutoscaler":  func() any { return new(autoscaling.HorizontalPodAutoscaler) },
	"batch/v1 Job":                            func() any { return new(batch.Job) },
	"monitoring.coreos.com/v1 PrometheusRule": func() any { return new(monitoring.PrometheusRule) },
	"monitoring.coreos.com/v1 ServiceMonitor": func() any { return new(monitoring.ServiceMonitor) },
	"networking.k8s.io/v1 Ingress":            func() any { return new(networking.Ingress) },
	"networking.k8s.io/v1 NetworkPolicy":      func() any { return new(networking.NetworkPolicy) },
	"policy/v1 PodDisruptionBudget":           func() any { return new(policy.PodDisruptionBudget) },
	"v1 ConfigMap":                            func() any { return new(core.ConfigMap) },
	"v1 PersistentVolumeClaim":                func() any { return new(core.PersistentVolumeClaim) },
	"v1 Secret":                               func() any { return new(core.Secret) },
	"v1 Service":                              func() any { return new(core.Service) },
	"v1 ServiceAccount":                       func() any { return new(core.ServiceAccount) },
}

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = decode(text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func decode(text []byte) error {
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var about struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal(document, &about); err != nil {
			return err
		}
		if about.Kind == "" {
			continue // comments only
		}
		kind := about.APIVersion + " " + about.Kind
		newValue, ok := kinds[kind]
		if !ok {
			return fmt.Errorf("there is no type for %s", kind)
		}
		value := newValue()
		if err := yaml.UnmarshalStrict(document, value); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		line, err := json.Marshal(value)
		if err != nil {
			return err
		}
		fmt.Printf("%s\n", line)
	}
	return nil
}
