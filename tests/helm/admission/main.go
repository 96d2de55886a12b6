// Admits a pod as an API server would, with the server's own packages: a MutatingAdmissionPolicy changes it, the restricted Pod
// Security Standard judges it. Takes {"policy": …, "pod": …} and answers with {"pod": …, "violations": […]}.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/google/cel-go/cel"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

type asked struct {
	Policy *admissionv1.MutatingAdmissionPolicy `json:"policy"`
	Pod    *corev1.Pod                          `json:"pod"`
}

type answer struct {
	Pod        *corev1.Pod `json:"pod"`
	Violations []string    `json:"violations"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var in asked
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		return err
	}
	out := answer{Pod: in.Pod, Violations: []string{}}
	if in.Policy != nil {
		pod, err := mutate(in.Policy, in.Pod)
		if err != nil {
			return err
		}
		out.Pod = pod
	}
	violations, err := restricted(out.Pod)
	if err != nil {
		return err
	}
	out.Violations = append(out.Violations, violations...)
	return json.NewEncoder(os.Stdout).Encode(out)
}

// Compiles and calls what the policy says in the order in which the server does.
func mutate(it *admissionv1.MutatingAdmissionPolicy, pod *corev1.Pod) (*corev1.Pod, error) {
	selector, err := metav1.LabelSelectorAsSelector(it.Spec.MatchConstraints.ObjectSelector)
	if err != nil {
		return nil, err
	}
	if !selector.Matches(labels.Set(pod.Labels)) {
		return pod, nil
	}
	options := plugincel.OptionalVariableDeclarations{}
	compiler, err := plugincel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		return nil, err
	}
	variables := make([]plugincel.NamedExpressionAccessor, 0, len(it.Spec.Variables))
	for _, variable := range it.Spec.Variables {
		variables = append(variables, named(variable))
	}
	compiler.CompileAndStoreVariables(variables, options, environment.StoredExpressions)
	ctx := compiler.CreateContext(context.Background())

	conditions := make([]plugincel.ExpressionAccessor, 0, len(it.Spec.MatchConditions))
	for i := range it.Spec.MatchConditions {
		conditions = append(conditions, (*matchconditions.MatchCondition)(&it.Spec.MatchConditions[i]))
	}
	compiled := compiler.CompileCondition(conditions, options, environment.StoredExpressions)
	matcher := matchconditions.NewMatcher(compiled, it.Spec.FailurePolicy, "policy", "mutate", it.Name)
	matched := matcher.Match(ctx, attributes(pod), nil, nil)
	if matched.Error != nil {
		return nil, matched.Error
	}
	if !matched.Matches {
		return pod, nil
	}

	interfaces := admission.NewObjectInterfacesFromScheme(scheme.Scheme)
	withPatches := options
	withPatches.HasPatchTypes = true
	for _, mutation := range it.Spec.Mutations {
		var patcher patch.Patcher
		switch mutation.PatchType {
		case admissionv1.PatchTypeJSONPatch:
			accessor := &patch.JSONPatchCondition{Expression: mutation.JSONPatch.Expression}
			patcher = patch.NewJSONPatcher(compiler.CompileMutatingEvaluator(accessor, withPatches, environment.StoredExpressions))
		case admissionv1.PatchTypeApplyConfiguration:
			accessor := &patch.ApplyConfigurationCondition{Expression: mutation.ApplyConfiguration.Expression}
			patcher = patch.NewApplyConfigurationPatcher(compiler.CompileMutatingEvaluator(accessor, withPatches, environment.StoredExpressions))
		default:
			return nil, fmt.Errorf("patchType %q is none", mutation.PatchType)
		}
		patched, err := patcher.Patch(ctx, patch.Request{
			MatchedResource:     corev1.SchemeGroupVersion.WithResource("pods"),
			VersionedAttributes: attributes(pod),
			ObjectInterfaces:    interfaces,
			TypeConverter:       applyconfigurations.NewTypeConverter(scheme.Scheme),
		}, celconfig.RuntimeCELCostBudget)
		if err != nil {
			return nil, err
		}
		// What an ApplyConfiguration made has no type yet.
		patched, err = interfaces.GetObjectConvertor().ConvertToVersion(patched, corev1.SchemeGroupVersion)
		if err != nil {
			return nil, err
		}
		next, ok := patched.(*corev1.Pod)
		if !ok {
			return nil, fmt.Errorf("a pod became a %T", patched)
		}
		pod = next
	}
	return pod, nil
}

// As the server's own has it, whose package brings its watches along.
type named admissionv1.Variable

func (it named) GetName() string { return it.Name }

func (it named) GetExpression() string { return it.Expression }

func (it named) ReturnTypes() []*cel.Type { return []*cel.Type{cel.AnyType, cel.DynType} }

func attributes(pod *corev1.Pod) *admission.VersionedAttributes {
	kind := corev1.SchemeGroupVersion.WithKind("Pod")
	pod.SetGroupVersionKind(kind)
	resource := corev1.SchemeGroupVersion.WithResource("pods")
	record := admission.NewAttributesRecord(
		runtime.Object(pod), nil, kind, pod.Namespace, pod.Name, resource, "", admission.Create, nil, false, nil)
	return &admission.VersionedAttributes{Attributes: record, VersionedKind: kind, VersionedObject: pod}
}

func restricted(pod *corev1.Pod) ([]string, error) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return nil, errors.Join(errors.New("the checks of the standard"), err)
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	var found []string
	for _, result := range evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec) {
		if !result.Allowed {
			found = append(found, result.ForbiddenReason+": "+result.ForbiddenDetail)
		}
	}
	return found, nil
}
