// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// What the chart may make, as the API server knows it.
var kinds = map[string]func() metav1.Object{
	"v1/ConfigMap":             func() metav1.Object { return &corev1.ConfigMap{} },
	"v1/PersistentVolumeClaim": func() metav1.Object { return &corev1.PersistentVolumeClaim{} },
	"v1/Pod":                   func() metav1.Object { return &corev1.Pod{} },
	"v1/Service":               func() metav1.Object { return &corev1.Service{} },
	"v1/ServiceAccount":        func() metav1.Object { return &corev1.ServiceAccount{} },
	"apps/v1/StatefulSet":      func() metav1.Object { return &appsv1.StatefulSet{} },
	"networking.k8s.io/v1/Ingress": func() metav1.Object {
		return &networkingv1.Ingress{}
	},
	"networking.k8s.io/v1/NetworkPolicy": func() metav1.Object {
		return &networkingv1.NetworkPolicy{}
	},
	"policy/v1/PodDisruptionBudget": func() metav1.Object {
		return &policyv1.PodDisruptionBudget{}
	},
	"monitoring.coreos.com/v1/ServiceMonitor": func() metav1.Object {
		return &monitoringv1.ServiceMonitor{}
	},
	"gateway.networking.k8s.io/v1/HTTPRoute": func() metav1.Object {
		return &gatewayv1.HTTPRoute{}
	},
}

// objects decodes strictly: what the type has not is an error, and so is a key
// that stands twice.
func objects(t *testing.T, texts []string) map[string]metav1.Object {
	t.Helper()
	all := map[string]metav1.Object{}
	for _, text := range texts {
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(text), &kind); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		make, ok := kinds[kind.APIVersion+"/"+kind.Kind]
		if !ok {
			t.Fatalf("%s %s is not expected", kind.APIVersion, kind.Kind)
		}
		object := make()
		if err := yaml.UnmarshalStrict([]byte(text), object); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		name := kind.Kind + "/" + object.GetName()
		if all[name] != nil {
			t.Errorf("%s is there twice", name)
		}
		all[name] = object
	}
	return all
}

func restricted(t *testing.T, name string, meta *metav1.ObjectMeta,
	spec *corev1.PodSpec) {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := api.LevelVersion{Level: api.LevelRestricted,
		Version: api.LatestVersion()}
	for _, result := range evaluator.EvaluatePod(level, meta, spec) {
		if !result.Allowed {
			t.Errorf("%s: %s: %s", name, result.ForbiddenReason,
				result.ForbiddenDetail)
		}
	}
}

func mounts(t *testing.T, name string, spec *corev1.PodSpec) {
	t.Helper()
	volumes := map[string]bool{}
	for _, volume := range spec.Volumes {
		volumes[volume.Name] = true
	}
	for _, container := range spec.Containers {
		paths := map[string]bool{}
		for _, mount := range container.VolumeMounts {
			if !volumes[mount.Name] {
				t.Errorf("%s: %s mounts %s, which is no volume",
					name, container.Name, mount.Name)
			}
			if paths[mount.MountPath] {
				t.Errorf("%s: %s is mounted twice", name,
					mount.MountPath)
			}
			paths[mount.MountPath] = true
		}
	}
}

// ports: what Services and policies name are ports of the pod.
func ports(t *testing.T, name string, all map[string]metav1.Object,
	spec *corev1.PodSpec) {
	t.Helper()
	there := map[string]bool{}
	for _, port := range spec.Containers[0].Ports {
		there[port.Name] = true
	}
	for _, object := range all {
		if service, ok := object.(*corev1.Service); ok {
			for _, port := range service.Spec.Ports {
				if !there[port.TargetPort.StrVal] {
					t.Errorf("%s: %s leads to port %s", name,
						service.Name, port.TargetPort.String())
				}
			}
		}
	}
}

func TestEveryObjectIsOneThatKubernetesKnows(t *testing.T) {
	for name, values := range matrix(t) {
		t.Run(name, func(t *testing.T) {
			all := objects(t, documents(mustRender(t, values)))
			for key, object := range all {
				if object.GetNamespace() != namespace {
					t.Errorf("%s is in namespace %q", key,
						object.GetNamespace())
				}
				if object.GetLabels()["app.kubernetes.io/instance"] != release {
					t.Errorf("%s has no label of the release", key)
				}
				if pod, ok := object.(*corev1.Pod); ok {
					restricted(t, key, &pod.ObjectMeta, &pod.Spec)
					mounts(t, key, &pod.Spec)
				}
			}
			set := statefulSet(t, all)
			pod := &set.Spec.Template
			restricted(t, "the pod", &pod.ObjectMeta, &pod.Spec)
			mounts(t, "the pod", &pod.Spec)
			ports(t, "the pod", all, &pod.Spec)
			if token := pod.Spec.AutomountServiceAccountToken; token == nil || *token {
				t.Error("the pod has a token of its service account")
			}
			for key, value := range set.Spec.Selector.MatchLabels {
				if pod.Labels[key] != value {
					t.Errorf("the pod's label %s is not selected", key)
				}
			}
		})
	}
}

func statefulSet(t *testing.T, all map[string]metav1.Object) *appsv1.StatefulSet {
	t.Helper()
	for _, object := range all {
		if set, ok := object.(*appsv1.StatefulSet); ok {
			return set
		}
	}
	t.Fatal("there is no StatefulSet")
	return nil
}

// What the server's Service and policy select is the server alone.
func TestTestPodIsNotTheServer(t *testing.T) {
	all := objects(t, documents(mustRender(t, "")))
	pod, ok := all["Pod/headwater-test"].(*corev1.Pod)
	if !ok || pod.Annotations["helm.sh/hook"] != "test" {
		t.Fatal("there is no test")
	}
	selector := statefulSet(t, all).Spec.Selector
	selects, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil || selects.Matches(labels.Set(pod.Labels)) {
		t.Errorf("%v selects the test's pod, too (%v)", selector, err)
	}
}

func TestVolumeOutlivesTheRelease(t *testing.T) {
	all := objects(t, documents(mustRender(t, "")))
	claim, ok := all["PersistentVolumeClaim/headwater"]
	if !ok || claim.GetAnnotations()["helm.sh/resource-policy"] != "keep" {
		t.Error("uninstalling would remove the claim")
	}
	all = objects(t, documents(mustRender(t,
		"persistence: {existingClaim: mine}")))
	for name := range all {
		if name == "PersistentVolumeClaim/headwater" {
			t.Error("a claim is made though there is one")
		}
	}
	volume := statefulSet(t, all).Spec.Template.Spec.Volumes[0]
	if volume.PersistentVolumeClaim.ClaimName != "mine" {
		t.Errorf("the pod has %s", volume.PersistentVolumeClaim.ClaimName)
	}
}

// A pod restarts for what it reads only at its start, and for nothing else.
func TestRestartsOnlyWhereItMust(t *testing.T) {
	annotation := func(values string) string {
		set := statefulSet(t, objects(t, documents(mustRender(t, values))))
		return set.Spec.Template.Annotations["headwater/server"]
	}
	before := annotation("")
	if annotation("repositories: {apps: {}}\nowners: {publicKeys: "+publicKey(1)+"}") != before {
		t.Error("another repository restarts the pod")
	}
	if annotation("names: [git.example.org]") == before {
		t.Error("another name restarts no pod")
	}
}
