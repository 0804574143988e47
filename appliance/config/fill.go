package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// described holds the descriptions of keys by the path of their table.
var described = sync.OnceValue(func() map[string][]Key {
	tables := make(map[string][]Key)
	for _, k := range Keys() {
		tables[k.Table()] = append(tables[k.Table()], k)
	}
	return tables
})

// fill sets fields of structs by the keys of the table t, as the keys are described:
// type, words, bounds, default. path is that of the table, kind its mode or kind. Key
// idle_timeout sets the field IdleTimeout, and key size of table rotate the field Size
// or RotateSize, whatever the capitals, of each struct that has it, or [Key.Field]. Keys
// without a field and keys that were read before are left to others.
func (t *table) fill(path, kind string, into ...any) {
	keys := described()[path]
	for i := range keys { // no copy of a key: there may be many tables
		k := &keys[i]
		if !k.Applies(kind) || slices.Contains(t.known, k.Name()) {
			continue
		}
		fields := k.fields(into)
		if len(fields) == 0 {
			continue
		}
		from := t
		switch def := k.standard(kind); {
		case t.has(k.Name()):
		case k.Required:
			t.missing(k.Name(), "")
			continue
		case def == nil:
			continue
		default:
			from = &table{r: t.r, at: t.at, pairs: []pair{{place: t.at, key: k.Name(), value: def}}}
		}
		for faults, i := len(t.r.errs), 0; i < len(fields) && len(t.r.errs) == faults; i++ { // a fault is told once
			k.read(from, fields[i])
		}
	}
}

// fields returns the fields that the key sets.
func (k *Key) fields(into []any) (fields []reflect.Value) {
	below := strings.TrimSuffix(k.Table(), "[]")
	below = below[strings.LastIndexByte(below, '.')+1:]
	names := []string{k.Name(), below + k.Name()}
	if k.Field != "" {
		field, _, _ := strings.Cut(strings.TrimPrefix(k.Field, "!"), "=")
		names = []string{field}
	}
	for _, name := range names {
		name = strings.ReplaceAll(name, "_", "")
		for _, s := range into {
			f := reflect.ValueOf(s).Elem().FieldByNameFunc(func(field string) bool { return strings.EqualFold(field, name) })
			if f.IsValid() {
				fields = append(fields, f)
			}
		}
	}
	return fields
}

// standards holds the defaults of all keys as a file has them, by their text.
var standards = sync.OnceValue(func() map[string]*node {
	nodes := make(map[string]*node)
	for _, k := range Keys() {
		for _, text := range append(slices.Collect(maps.Values(k.DefaultOf)), k.Default) {
			if text != "" {
				nodes[text], _, _ = parseTree([]byte(text)) // tests read every default
			}
		}
	}
	return nodes
})

// standard returns the default, nil if there is none.
func (k *Key) standard(kind string) *node {
	if of, ok := k.DefaultOf[kind]; ok {
		return standards()[of]
	}
	return standards()[k.Default]
}

// read parses the value of the key in t and sets f. A faulty value leaves f alone.
func (k *Key) read(t *table, f reflect.Value) {
	if !k.List {
		f.Set(value(t, k.Name(), f, k.parser(f.Type())))
		return
	}
	if n := t.get(k.Name()); k.Empty && n.kind() == list && len(n.items()) == 0 {
		return
	}
	items := values(t, k.Name(), nil, k.parser(f.Type().Elem()))
	list := reflect.MakeSlice(f.Type(), 0, len(items))
	f.Set(reflect.Append(list, items...))
}

// parser returns what makes a value of the type of a field from a text.
func (k *Key) parser(to reflect.Type) func(string) (reflect.Value, error) {
	_, word, isWord := strings.Cut(k.Field, "=")
	return func(s string) (reflect.Value, error) {
		v, err := k.parse(s)
		switch b, isBool := v.(bool); {
		case err != nil:
			return reflect.Value{}, err
		case isWord:
			v = s == word
		case isBool && k.Field != "":
			v = b != (k.Field[0] == '!')
		}
		return reflect.ValueOf(v).Convert(to), nil
	}
}

// parse reads one value of the key.
func (k *Key) parse(s string) (any, error) {
	switch k.Type {
	case TypeBool:
		return parseBool(s)
	case TypeWord:
		words := make([]string, len(k.Words))
		for i, w := range k.Words {
			words[i] = w.Word
		}
		return oneOf(words...)(s)
	case TypeNumber:
		return orZero(k, s, number(bound(parseSize, k.Min), bound(parseSize, k.Max)))
	case TypeDuration:
		return orZero(k, s, duration(bound(time.ParseDuration, k.Min), bound(time.ParseDuration, k.Max)))
	case TypeSize:
		return orZero(k, s, k.size)
	}
	if parse := parsers[k.Type]; parse != nil {
		return parse(s)
	}
	return nil, fmt.Errorf("values of type %s cannot be read", k.Type)
}

// parsers read the types without bounds.
var parsers = map[Type]func(string) (any, error){
	TypeVersion:   boxed(parseTLSVersion),
	TypeListen:    boxed(parseListen),
	TypeHostPort:  boxed(parseHostPort),
	TypeHost:      boxed(parseHost),
	TypeAddress:   boxed(parseAddress),
	TypeNetwork:   boxed(parsePrefix),
	TypePort:      boxed(parsePort),
	TypePorts:     boxed(parsePorts),
	TypeInterface: boxed(parseInterface),
	TypeUser:      boxed(parseUser),
	TypeServer:    boxed(parseServer),
	TypeMedia:     boxed(parseMedia),
	TypeText:      boxed(parseText),
}

const maxText = 200 // characters of a text that is shown to people

// parseText reads one line of text.
func parseText(s string) (string, error) {
	if utf8.RuneCountInString(s) > maxText {
		return "", fmt.Errorf("want at most %d characters", maxText)
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return "", errors.New("want one line without control characters")
	}
	return s, nil
}

func boxed[T any](parse func(string) (T, error)) func(string) (any, error) {
	return func(s string) (any, error) { return parse(s) }
}

// orZero is parse for a key that takes 0 too if that is one of its words.
func orZero[T any](k *Key, s string, parse func(string) (T, error)) (v T, err error) {
	zero := slices.ContainsFunc(k.Words, func(w Choice) bool { return w.Word == "0" })
	if zero && (s == "0" || s == "0s") {
		return v, nil
	}
	if v, err = parse(s); err != nil && zero {
		err = fmt.Errorf("%w, or 0", err)
	}
	return v, err
}

// bound reads Min or Max of a description.
func bound[T any](parse func(string) (T, error), text string) T {
	v, _ := parse(text) // tests read every bound
	return v
}

// size reads a size within the bounds.
func (k *Key) size(s string) (uint64, error) {
	v, err := parseSize(s)
	switch low := bound(parseSize, k.Min); {
	case err != nil:
	case k.Max == "" && v < low:
		err = fmt.Errorf("want at least %s, not %q", k.Min, s)
	case k.Max != "" && (v < low || v > bound(parseSize, k.Max)):
		err = fmt.Errorf("want a size from %s to %s, not %q", k.Min, k.Max, s)
	}
	return v, err
}

// keysOf returns the names of the keys that tables of a mode or kind have, or do not
// have.
func keysOf(path, kind string, have bool) (names []string) {
	has := make(map[string]bool)
	for _, k := range described()[path] {
		has[k.Name()] = has[k.Name()] || k.Applies(kind)
	}
	for name, yes := range has {
		if yes == have {
			names = append(names, name)
		}
	}
	return names
}
