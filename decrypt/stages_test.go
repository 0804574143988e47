package decrypt

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// TestStages: behind each stage in the table stands what its method returns.
func TestStages(t *testing.T) {
	methods := stageMethods(t)
	text, err := os.ReadFile("stages.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^\tstage\w+: +\(\*session\)\.(\w+), +//(.*)$`).FindAllSubmatch(text, -1)
	if len(lines) != len(stages)-1 {
		t.Fatalf("read %d stages of %d", len(lines), len(stages)-1)
	}
	for _, line := range lines {
		method := string(line[1])
		var want []string
		for s := range strings.SplitSeq(string(line[2]), ",") {
			if s = strings.TrimSpace(s); s != "" && s != "stageEnd" {
				want = append(want, s)
			}
		}
		got := slices.Collect(maps.Keys(follows(methods, method)))
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("behind %s stands %v, it returns %v", method, want, got)
		}
	}
}

// stageMethods returns the methods of session that return a stage.
func stageMethods(t *testing.T) map[string]*ast.FuncDecl {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	methods := make(map[string]*ast.FuncDecl)
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || fn.Type.Results == nil {
				continue
			}
			if result, ok := fn.Type.Results.List[0].Type.(*ast.Ident); ok && result.Name == "stage" {
				methods[fn.Name.Name] = fn
			}
		}
	}
	return methods
}

// follows collects the stages that a method returns other than stageEnd, itself or by
// one that it calls. Those of choose are called ways.
func follows(methods map[string]*ast.FuncDecl, method string) map[string]bool {
	if method == "choose" {
		return map[string]bool{"ways": true}
	}
	all := make(map[string]bool)
	ast.Inspect(methods[method].Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ReturnStmt:
			if first, ok := n.Results[0].(*ast.Ident); ok && strings.HasPrefix(first.Name, "stage") && first.Name != "stageEnd" {
				all[first.Name] = true
			}
		case *ast.CallExpr:
			if called, ok := n.Fun.(*ast.SelectorExpr); ok && methods[called.Sel.Name] != nil && called.Sel.Name != method {
				maps.Copy(all, follows(methods, called.Sel.Name))
			}
		}
		return true
	})
	return all
}

// TestChoose: an action leads to one stage, by what the session begins with and what is
// known of its origin.
func TestChoose(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    *session
		d    policy.Decision
		want stage
	}{
		{"silent", &session{opening: opensSilent}, policy.Decision{Action: policy.Terminate}, stageHold},
		{"dialogue", &session{opening: opensDialogue}, policy.Decision{Action: policy.Tunnel}, stageConverse},
		{"dialogue that is refused", &session{opening: opensDialogue}, policy.Decision{Action: policy.Terminate}, stageTerminate},
		{"plain", &session{opening: opensPlain}, policy.Decision{Action: policy.TunnelCheck}, stageTunnel},
		{"TLS", &session{opening: opensTLS}, policy.Decision{Action: policy.TunnelCheck}, stageCheck},
		{"certificate asked for", &session{opening: opensTLS}, policy.Decision{Action: policy.Terminate, Pending: true}, stageLookup},
		{"certificate known", &session{opening: opensTLS, met: true}, policy.Decision{Action: policy.Bump, Pending: true}, stageBump},
		{"not to be bumped", &session{opening: opensTLS, met: true, unbumpable: true}, policy.Decision{Action: policy.Bump}, stageTunnel},
		{"file", &session{opening: opensData}, policy.Decision{Action: policy.TunnelCheck}, stageTunnel},
		{"secured file", &session{opening: opensSecured}, policy.Decision{Action: policy.TunnelCheck}, stageData},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.s.account = &Session{Decision: tt.d}
			if got := tt.s.choose(); got != tt.want {
				t.Errorf("stage %d, want %d", got, tt.want)
			}
		})
	}
}
