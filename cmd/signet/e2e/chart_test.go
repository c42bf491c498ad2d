package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The tests of the chart need no cluster: helm renders it, the types of the Kubernetes API decode it strictly, and a rendered pod's
// command line runs as a process with its files laid out as Kubernetes does. What only a cluster shows (scheduling, network policy,
// autoscaling, the operator of Prometheus) is not tested.

const (
	helm     = "helm.sh/helm/v3/cmd/helm@v3.18.6"
	chartDir = "../../../deploy/helm/signet"

	kubeVersion = "1.34.0" // that of the API types
)

// goTool builds a program of another module once for all tests.
var goTool = func() func(testing.TB, string) string {
	var mu sync.Mutex
	return func(t testing.TB, module string) string {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		name, _, _ := strings.Cut(filepath.Base(module), "@")
		path := filepath.Join(filepath.Dir(signetBinary(t)), "tools", name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
		cmd := exec.Command("go", "install", module)
		cmd.Env = append(os.Environ(), "GOBIN="+filepath.Dir(path))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return path
	}
}()

// manifests is a program that decodes manifests strictly.
func manifests(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubernetes")
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Dir = "testdata/kubernetes"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

const requiredValues = "issuer: https://auth.example.com\nimage: {repository: registry.example.com/signet, tag: v1.2.3}\nmasterKey: {secret: signet-master}\n"

// chartValues is the matrix of values that the chart is rendered with.
var chartValues = map[string]string{
	"redis":         requiredValues + "store: {redis: {url: 'redis://redis:6379'}}\n",
	"redis, one":    requiredValues + "replicas: 1\nstore: {redis: {url: 'redis://redis:6379'}}\n",
	"bolt":          requiredValues + "replicas: 1\nstore: {type: bolt, bolt: {storageClass: fast}}\n",
	"bolt, no init": requiredValues + "replicas: 1\nstore: {type: bolt}\ninit: {enabled: false}\n",
	"everything": requiredValues + `
image: {repository: registry.example.com/signet, digest: "sha256:` + "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" + `", pullSecrets: [{name: registry}]}
store: {redis: {url: "rediss+sentinel://a,b,c/signet", username: signet, passwordSecret: redis}}
tls: {secret: signet-tls}
trustedProxies: [10.0.0.0/8]
config: {refresh: {grace: 20s}, redis: {wait_replicas: 2}, admin: {socket: admin.sock}}
service: {type: LoadBalancer, port: 443, annotations: {a: b}}
ingress: {enabled: true, className: nginx, tlsSecret: public, annotations: {c: d}}
hpa: {enabled: true, maxReplicas: 10}
networkPolicy: {ingress: [{namespaceSelector: {matchLabels: {name: ingress}}}], admin: [{podSelector: {}}], redis: [{ipBlock: {cidr: 10.1.0.0/16}}], egress: [{ports: [{port: 636}]}]}
admin: {enabled: true}
serviceMonitor: {enabled: true, clientSecret: prometheus, labels: {release: prometheus}}
prometheusRule: {enabled: true, labels: {release: prometheus}}
podAnnotations: {e: f}
podLabels: {g: h}
nodeSelector: {i: j}
tolerations: [{key: k, operator: Exists}]
affinity: {nodeAffinity: {}}
priorityClassName: high
`,
}

// object is what these tests read of a Kubernetes object.
type object struct {
	Kind     string
	Metadata struct{ Name string }
	Data     map[string]string // of a ConfigMap
	Spec     struct {
		Replicas       *int
		MaxUnavailable any
		Template       struct{ Spec podSpec }
		Groups         []struct{ Rules []struct{ Alert string } } // of a PrometheusRule
	}
}

type podSpec struct {
	SecurityContext struct {
		RunAsNonRoot                   bool
		RunAsUser, RunAsGroup, FSGroup int
	}
	InitContainers, Containers []container
	TopologySpreadConstraints  []struct{ TopologyKey string }
	Volumes                    []struct {
		Name   string
		Secret *struct {
			SecretName  string
			DefaultMode int
		}
		ConfigMap *struct {
			Name        string
			DefaultMode int
		}
		EmptyDir *struct{}
	}
}

type container struct {
	Name, Image     string
	Args            []string
	Env             []struct{ Name, Value string }
	SecurityContext struct{ ReadOnlyRootFilesystem, AllowPrivilegeEscalation bool }
	VolumeMounts    []struct{ Name, MountPath, SubPath string }
	Ports           []struct {
		Name          string
		ContainerPort int
	}
	StartupProbe, LivenessProbe, ReadinessProbe *struct {
		HTTPGet struct{ Path, Port, Scheme string }
	}
}

// renderChart renders the chart with values and decodes the result.
func renderChart(t *testing.T, decoder, values string) []object {
	t.Helper()
	cmd := exec.Command(goTool(t, helm), "template", "auth", chartDir, "--namespace", "login", "--kube-version", kubeVersion, "--values", "-")
	cmd.Stdin = strings.NewReader(values)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("helm template: %v\n%s", err, errs.String())
	}
	decode := exec.Command(decoder)
	decode.Stdin = bytes.NewReader(text)
	decode.Stderr = &errs
	lines, err := decode.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, errs.String(), text)
	}
	var all []object
	for line := range bytes.Lines(lines) {
		var o object
		if err := json.Unmarshal(line, &o); err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

// pods returns the pods of the objects, by kind of their owner.
func pods(all []object) map[string]podSpec {
	found := map[string]podSpec{}
	for _, o := range all {
		if len(o.Spec.Template.Spec.Containers) > 0 {
			found[o.Kind] = o.Spec.Template.Spec
		}
	}
	return found
}

func TestChartRenders(t *testing.T) {
	t.Parallel()
	decoder, matrix := manifests(t), maps.Clone(chartValues)
	for i, b := range parseBlocks(t, "deploy/helm/README.md", page(t, "deploy/helm/README.md")) {
		if b.lang == "yaml" {
			matrix[fmt.Sprintf("the page's %d", i)] = b.text
		}
	}
	kinds := map[string][]string{
		"redis":         {"ConfigMap", "Deployment", "Job", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"},
		"redis, one":    {"ConfigMap", "Deployment", "Job", "NetworkPolicy", "Service", "ServiceAccount"},
		"bolt":          {"ConfigMap", "NetworkPolicy", "Service", "ServiceAccount", "StatefulSet"},
		"bolt, no init": {"ConfigMap", "NetworkPolicy", "Service", "ServiceAccount", "StatefulSet"},
		"everything": {"ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Ingress", "Job", "NetworkPolicy", "PodDisruptionBudget", "PrometheusRule", "Service",
			"ServiceAccount", "ServiceMonitor"},
	}
	for name, values := range matrix {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lint := exec.Command(goTool(t, helm), "lint", "--strict", chartDir, "--values", "-")
			lint.Stdin = strings.NewReader(values)
			if out, err := lint.CombinedOutput(); err != nil {
				t.Errorf("helm lint: %v\n%s", err, out)
			}
			all := renderChart(t, decoder, values)
			var got []string
			for _, o := range all {
				got = append(got, o.Kind)
				for _, group := range o.Spec.Groups {
					if len(group.Rules) == 0 {
						t.Error("a group of alerts has no rules")
					}
				}
			}
			slices.Sort(got)
			if want := kinds[name]; want != nil && !slices.Equal(slices.Compact(got), want) {
				t.Errorf("the chart has %q, want %q", got, want)
			}
			for kind, pod := range pods(all) {
				checkPod(t, kind, pod)
			}
		})
	}
}

// checkPod: no pod runs as root or writes to its image, and Signet accepts the modes of its secrets.
func checkPod(t *testing.T, kind string, pod podSpec) {
	t.Helper()
	if s := pod.SecurityContext; !s.RunAsNonRoot || s.RunAsUser != 65532 || s.FSGroup != 65532 {
		t.Errorf("%s: the pod runs as %+v", kind, s)
	}
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		if s := c.SecurityContext; !s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation {
			t.Errorf("%s: the container %s has %+v", kind, c.Name, s)
		}
	}
	for _, v := range pod.Volumes {
		if v.Secret != nil && v.Secret.DefaultMode != 0o440 {
			t.Errorf("%s: the Secret %s has the mode %#o", kind, v.Secret.SecretName, v.Secret.DefaultMode)
		}
	}
	if kind != "Job" && len(pod.TopologySpreadConstraints) != 2 {
		t.Errorf("%s: the servers are not spread: %v", kind, pod.TopologySpreadConstraints)
	}
}

// TestChartRefuses: a mistake in the values is one line that names the value and what to do.
func TestChartRefuses(t *testing.T) {
	t.Parallel()
	const redis = "store: {redis: {url: 'redis://redis:6379'}}\n"
	for name, test := range map[string]struct{ values, want string }{
		"bolt, two servers":   {requiredValues + "store: {type: bolt}\nreplicas: 2\n", "replicas: is 2, and a bolt file is for one server; set replicas to 1, or store.type to redis"},
		"bolt, autoscaled":    {requiredValues + "store: {type: bolt}\nreplicas: 1\nhpa: {enabled: true}\n", "hpa.enabled: a bolt file is for one server"},
		"no issuer":           {redis + "image: {repository: a}\nmasterKey: {secret: b}\n", "issuer: set it to the https URL"},
		"no image":            {redis + "issuer: https://a.example\nmasterKey: {secret: b}\n", "image.repository: set it"},
		"no tag":              {redis + "issuer: https://a.example\nimage: {repository: a}\nmasterKey: {secret: b}\n", "image.tag: set it, or image.digest"},
		"no master key":       {redis + "issuer: https://a.example\nimage: {repository: a}\n", "masterKey.secret: set it"},
		"no Redis":            {requiredValues, "store.redis.url: set it to the Redis"},
		"issuer over http":    {redis + "issuer: http://a.example\n", "issuer"},
		"a password in a URL": {requiredValues + "store: {redis: {url: 'redis://:secret@redis:6379'}}\n", "store.redis.url: has a username or a password"},
		"another database":    {requiredValues + "store: {redis: {url: 'postgres://db'}}\n", "store.redis.url: begins with redis://"},
		"a misspelled value":  {requiredValues + redis + "replica: 3\n", "replica"},
		"no replicas":         {requiredValues + redis + "replicas: 0\n", "replicas"},
		"a setting of ours":   {requiredValues + redis + "config: {data_dir: /tmp}\n", "config.data_dir: the chart sets it"},
		"metrics in clear":    {requiredValues + redis + "admin: {enabled: true}\n", "admin.enabled: it takes tls.secret"},
		"a monitor alone":     {requiredValues + redis + "serviceMonitor: {enabled: true, clientSecret: a}\n", "serviceMonitor.enabled: it takes admin.enabled"},
		"more than most":      {requiredValues + redis + "hpa: {enabled: true, minReplicas: 9}\n", "hpa.minReplicas: it is more than hpa.maxReplicas"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(goTool(t, helm), "template", "auth", chartDir, "--kube-version", kubeVersion, "--values", "-")
			cmd.Stdin = strings.NewReader(test.values)
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatal("helm template accepts it")
			}
			if !strings.Contains(string(out), test.want) {
				t.Errorf("helm template prints\n%s\nwant %s", out, test.want)
			}
			if strings.Contains(string(out), ":secret@") {
				t.Errorf("helm template prints the password: %s", out)
			}
		})
	}
}

// TestChartServes runs what the rendered pods run, in their order: the job or the init container, then the server. Their files are
// where the volumes have them, with the owners and modes that Kubernetes gives them: a Secret belongs to root and the group fsGroup,
// and is reached by symbolic links; an emptyDir is open to everybody; a volume of the StatefulSet to the group.
func TestChartServes(t *testing.T) {
	if err := exec.Command("unshare", "--mount", "--pid", "--net", "--fork", "true").Run(); err != nil {
		needs(t, "root, which the machines of these tests are made with,", "sudo")
	}
	for _, tool := range []string{"redis-server", "curl", "ip", "setpriv", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			needs(t, tool, "apt-get install redis-server curl iproute2 util-linux openssl")
		}
	}
	decoder := manifests(t)
	for name, values := range map[string]string{
		"redis": requiredValues + "trustedProxies: [127.0.0.1]\nstore: {redis: {url: 'redis://127.0.0.1:6379', passwordSecret: redis}}\nconfig: {redis: {wait_replicas: 0}}\n",
		"bolt":  requiredValues + "replicas: 1\nstore: {type: bolt}\ntls: {secret: signet-tls}\nadmin: {enabled: true}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := renderChart(t, decoder, values)
			dir := shortDir(t)
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("cp", signetBinary(t), filepath.Join(dir, "signet")).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			script := podScript(t, all)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			cmd := machine(t, ctx, dir, script)
			cmd.Env = append(os.Environ(), "MACHINE_NET=1")
			if out, err := cmd.CombinedOutput(); err != nil {
				log, _ := os.ReadFile(filepath.Join(dir, "log.txt"))
				t.Errorf("%v\n%s\n%s", err, out, log)
			}
		})
	}
}

// podScript writes a script that runs the pods of a rendered chart one after the other, and probes the server.
func podScript(t *testing.T, all []object) string {
	t.Helper()
	var s strings.Builder
	s.WriteString(`set -euxo pipefail
install -m 755 signet /signet
mkdir -p secrets
printf signet_mk_%s "$(openssl rand -base64 32 | tr '+/' '-_' | tr -d '=')" > secrets/signet-master:master.key
printf secret > secrets/redis:password
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=auth.example.com -addext subjectAltName=DNS:auth.example.com \
  -keyout secrets/signet-tls:tls.key -out secrets/signet-tls:tls.crt
redis-server --port 6379 --requirepass secret --save "" --appendonly no > redis.txt &
until redis-cli -a secret ping > ping.txt 2>&1 && grep -q PONG ping.txt; do sleep 0.1; done
`)
	configs := map[string]string{}
	for _, o := range all {
		if o.Kind == "ConfigMap" {
			configs[o.Metadata.Name] = o.Data["signet.yaml"]
		}
	}
	found := pods(all)
	if job, ok := found["Job"]; ok {
		layOut(&s, job, configs, false)
		s.WriteString(runContainer(job, job.Containers[0]) + "\nrm -rf /var/lib/signet /etc/signet\n")
	}
	server, stateful := found["StatefulSet"]
	if !stateful {
		server = found["Deployment"]
	}
	layOut(&s, server, configs, stateful)
	for range 2 { // a pod that is restarted runs them again
		for _, c := range server.InitContainers {
			s.WriteString(runContainer(server, c) + "\n")
		}
	}
	c := server.Containers[0]
	s.WriteString(runContainer(server, c) + " 2> log.txt &\nserver=$!\n")
	for _, probe := range []*struct {
		HTTPGet struct{ Path, Port, Scheme string }
	}{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
		port := 0
		for _, p := range c.Ports {
			if p.Name == probe.HTTPGet.Port {
				port = p.ContainerPort
			}
		}
		fmt.Fprintf(&s, "curl -skf --retry 90 --retry-delay 1 --retry-all-errors %s://127.0.0.1:%d%s -o probe.json\n", strings.ToLower(probe.HTTPGet.Scheme), port, probe.HTTPGet.Path)
	}
	exec := c
	exec.Args = []string{"client", "create", "--id", "web", "--grant", "client_credentials", "-o", "json"}
	s.WriteString(runContainer(server, exec) + " > web.json\ngrep -q client_secret web.json\nkill -TERM $server\nwait $server\n")
	return s.String()
}

// layOut writes the commands that put the files of a pod where its volumes are.
func layOut(s *strings.Builder, pod podSpec, configs map[string]string, persistent bool) {
	group := pod.SecurityContext.FSGroup
	for _, mount := range pod.Containers[0].VolumeMounts {
		at := mount.MountPath
		mode := "2777"
		for _, v := range pod.Volumes {
			switch {
			case v.Name != mount.Name:
			case v.Secret != nil:
				fmt.Fprintf(s, `mkdir -p %[1]s/..1
for file in secrets/%[2]s:*; do
  key=${file#*:}
  install -o root -g %[3]d -m %#[4]o "$file" %[1]s/..1/$key
  ln -s ..data/$key %[1]s/$key
done
ln -s ..1 %[1]s/..data
`, at, v.Secret.SecretName, group, v.Secret.DefaultMode)
				mode = ""
			case v.ConfigMap != nil:
				fmt.Fprintf(s, "mkdir -p $(dirname %[1]s)\ncat > %[1]s <<'END'\n%[2]s\nEND\nchown root:%[3]d %[1]s\nchmod %#[4]o %[1]s\n", at, configs[v.ConfigMap.Name], group,
					v.ConfigMap.DefaultMode)
				mode = ""
			}
		}
		if mode != "" && at != "/tmp" {
			if persistent {
				mode = "2775"
			}
			fmt.Fprintf(s, "install -d -o root -g %d -m %s %s\n", group, mode, at)
		}
	}
}

// runContainer returns the command line of a container: the image's entrypoint with the arguments and variables of the pod.
func runContainer(pod podSpec, c container) string {
	var environ []string
	for _, e := range c.Env {
		environ = append(environ, e.Name+"="+e.Value)
	}
	return fmt.Sprintf("setpriv --reuid %d --regid %d --groups %d --bounding-set=-all --no-new-privs env -i %s /signet %s",
		pod.SecurityContext.RunAsUser, pod.SecurityContext.RunAsGroup, pod.SecurityContext.FSGroup, quoted(environ), quoted(c.Args))
}
