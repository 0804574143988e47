package layering

import (
	"go/ast"
	"go/token"
	"path"
	"strconv"
	"strings"
	"testing"
)

// configuration is the package that describes the box as data.
const configuration = "appliance/config"

// acting are the folders that it takes option types from. It starts nothing of theirs.
var acting = []string{"appliance/admin", "appliance/admission", "appliance/audit", "appliance/facts", "appliance/intake", "appliance/service/inline", "certs", "decrypt", "mirror"}

// TestConfigurationIsData: of packages that act, the configuration uses types and
// constants. An option type is defined where it acts.
func TestConfigurationIsData(t *testing.T) {
	if !below("mirror/pcapip", "mirror") || acts("decrypt/policy") {
		t.Fatal("the folders that act are not told apart")
	}
	used := 0
	for _, f := range sources(t, configuration) {
		declared := make(map[string]map[string]token.Token) // by the name of the import
		for _, spec := range f.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if dir, ours := strings.CutPrefix(imported, module+"/"); ours && acts(dir) {
				declared[path.Base(dir)] = declarations(t, dir)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := s.X.(*ast.Ident)
			if !ok || declared[x.Name] == nil {
				return true
			}
			used++
			if kind := declared[x.Name][s.Sel.Name]; kind != token.TYPE && kind != token.CONST {
				t.Errorf("%s uses %s.%s: of packages that act it takes types and constants only", configuration, x.Name, s.Sel.Name)
			}
			return true
		})
	}
	if used < 10 {
		t.Errorf("%d uses of option types found: the search is broken", used)
	}
}

// acts reports whether a package is in one of the folders that act. What only reads or
// compares, such as the rule table, may be asked whether a value is well formed.
func acts(dir string) bool {
	if below(dir, "decrypt") {
		return dir == "decrypt"
	}
	for _, folder := range acting {
		if below(dir, folder) {
			return true
		}
	}
	return false
}

// declarations returns what the names of a package stand for.
func declarations(t *testing.T, dir string) map[string]token.Token {
	t.Helper()
	names := make(map[string]token.Token)
	for _, f := range sources(t, dir) {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					names[d.Name.Name] = token.FUNC
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						names[spec.Name.Name] = d.Tok
					case *ast.ValueSpec:
						for _, name := range spec.Names {
							names[name.Name] = d.Tok
						}
					}
				}
			}
		}
	}
	return names
}
