package config

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// object is a JSON object; encoding/json sorts its keys.
type object = map[string]any

// branch is a table of the file with the keys that it holds.
type branch struct {
	keys     []*Key
	children map[string]*branch
}

func keyTree() *branch {
	root := &branch{children: make(map[string]*branch)}
	keys := Keys()
	for i := range keys {
		at := root
		parts := strings.Split(keys[i].Path, ".")
		for _, part := range parts[:len(parts)-1] {
			part = strings.TrimSuffix(part, "[]")
			if at.children[part] == nil {
				at.children[part] = &branch{children: make(map[string]*branch)}
			}
			at = at.children[part]
		}
		at.keys = append(at.keys, &keys[i])
	}
	return root
}

// Schema returns the JSON Schema (draft 2020-12) of the configuration file, for editors.
func Schema() []byte {
	s := keyTree().schema()
	// Without a base, the file must name an intake.
	delete(s, "required")
	s["anyOf"] = []any{
		object{"required": []string{"intake"}},
		object{"required": []string{"base"}, "properties": object{"base": object{"const": string(DefaultBase)}}},
	}
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "clearspan configuration"
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	e.Encode(s) // into memory, of plain data: it cannot fail
	return b.Bytes()
}

// schema returns the schema of the table.
func (b *branch) schema() object {
	properties := object{}
	s := object{"type": "object", "properties": properties, "additionalProperties": false}
	var required []string
	var kind *Key // by which tables differ
	for _, k := range b.keys {
		name := k.Name()
		one := propertySchema(k, b.children[name])
		switch {
		case name == "NAME" || name == "PORT":
			s["additionalProperties"] = one
			delete(s, "properties")
			continue
		case properties[name] != nil:
			one = object{"anyOf": []any{properties[name], one}}
		}
		properties[name] = one
		if k.Required && k.Of == nil {
			required = append(required, name)
		}
		if k.Required && k.Type == TypeWord && (name == "mode" || name == "kind") {
			kind = k
		}
	}
	if required != nil {
		s["required"] = required
	}
	if kind != nil {
		s["allOf"] = kindRules(b, kind)
	}
	return s
}

// kindRules says which keys belong to which mode or kind.
func kindRules(b *branch, kind *Key) (rules []any) {
	for _, w := range kind.Words {
		allowed := make(map[string]bool)
		instead := make(map[string]string)
		for _, k := range b.keys {
			allowed[k.Name()] = allowed[k.Name()] || k.Applies(w.Word)
			if k.Instead != "" {
				instead[k.Instead] = k.Name()
			}
		}
		foreign := object{}
		var required, either []any
		for _, k := range b.keys {
			switch name := k.Name(); {
			case !allowed[name]:
				foreign[name] = false
			case !k.Required || k.Of == nil || !k.Applies(w.Word):
			case instead[name] != "":
				either = append(either, object{"required": []string{name}}, object{"required": []string{instead[name]}})
			default:
				required = append(required, name)
			}
		}
		then := object{"properties": foreign}
		if required != nil {
			then["required"] = required
		}
		if either != nil {
			then["oneOf"] = either
		}
		rules = append(rules, object{
			"if":   object{"properties": object{kind.Name(): object{"const": w.Word}}, "required": []string{kind.Name()}},
			"then": then,
		})
	}
	return rules
}

// propertySchema returns the schema of a key's value; below are the keys that it holds.
func propertySchema(k *Key, below *branch) object {
	var s object
	switch k.Type {
	case TypeTable:
		s = below.schema()
	case TypeTables:
		s = object{"type": "array", "items": below.schema()}
	default:
		s = valueSchema(k)
		if below != nil { // a value, or a table in its place
			s = object{"anyOf": []any{s, below.schema()}}
		}
		if k.List || k.Type == TypeLegs {
			list := object{"type": "array", "items": s}
			if k.Type == TypeLegs {
				list["minItems"], list["maxItems"] = 2, 2
				s = list
			} else {
				s = object{"anyOf": []any{s, list}}
			}
		}
	}
	s["description"] = strings.ReplaceAll(k.Doc, "`", "")
	if k.Default != "" && k.DefaultOf == nil {
		s["default"] = jsonValue(k.Default)
	}
	return s
}

const (
	durationPattern = `^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$`
	sizePattern     = `^[0-9]+ *(KiB|MiB|GiB|TiB)?$`
	portPattern     = `^[0-9]+( *- *[0-9]+)?$`
)

// valueSchema returns the schema of one value.
func valueSchema(k *Key) object {
	var forms []any
	var words []any
	for _, w := range k.Words {
		words = append(words, jsonValue(w.Word))
	}
	for _, w := range k.Synonyms {
		words = append(words, w)
	}
	switch k.Type {
	case TypeWord:
	case TypeBool:
		forms = append(forms, object{"type": "boolean"})
	case TypeVersion:
		return object{"enum": []any{"1.2", "1.3", 1.2, 1.3}}
	case TypeNumber:
		number := object{"type": "integer"}
		number["minimum"], _ = strconv.Atoi(k.Min)
		number["maximum"], _ = strconv.Atoi(k.Max)
		forms = append(forms, number)
	case TypePort, TypePorts:
		forms = append(forms, object{"type": "integer", "minimum": 1, "maximum": 65535})
		if k.Type == TypePorts {
			forms = append(forms, object{"type": "string", "pattern": portPattern})
		}
	case TypeDuration:
		forms = append(forms, object{"type": "string", "pattern": durationPattern})
	case TypeSize:
		forms = append(forms, object{"type": "integer", "minimum": 0}, object{"type": "string", "pattern": sizePattern})
	default:
		forms = append(forms, object{"type": "string"})
	}
	if words != nil {
		forms = append(forms, object{"enum": words})
	}
	if len(forms) == 1 {
		return forms[0].(object)
	}
	return object{"anyOf": forms}
}

// jsonValue turns a value as a file has it into JSON.
func jsonValue(text string) any {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		list := []any{}
		for item := range strings.SplitSeq(strings.TrimSuffix(inner, "]"), ",") {
			list = append(list, jsonValue(strings.TrimSpace(item)))
		}
		return list
	}
	switch n, err := strconv.Atoi(text); {
	case err == nil:
		return n
	case text == "true" || text == "false":
		return text == "true"
	}
	return strings.Trim(text, `"`)
}
