package config

import (
	"fmt"
	"strings"
)

// Takes says in words what the key takes. Values are in backquotes.
func (k *Key) Takes() string {
	var b []string
	switch k.Type {
	case TypeWord:
	case TypeNumber, TypeDuration, TypeSize:
		text := string(k.Type)
		switch {
		case k.Min != "" && k.Max != "":
			text += fmt.Sprintf(", %s to %s", k.Min, k.Max)
		case k.Min != "":
			text += ", at least " + k.Min
		case k.Max != "":
			text += ", at most " + k.Max
		}
		b = append(b, text)
	case TypeVersion:
		return "`1.2` or `1.3`"
	default:
		b = append(b, string(k.Type))
	}
	for _, w := range k.Words {
		b = append(b, code(w.Word))
	}
	const most = 20 // words in a sentence
	var long string
	if len(b) > most {
		long, b = strings.Join(b[:most], ", ")+". Or: ", b[most:]
	}
	text := strings.Join(b, ", ")
	if n := len(b); n > 1 {
		text = strings.Join(b[:n-1], ", ") + " or " + b[n-1]
	}
	text = long + text
	if k.List {
		text = "list of: " + text
	}
	return text
}

// Otherwise says in words what holds without the key, "" if nothing does. Values are in
// backquotes.
func (k *Key) Otherwise() string {
	var list []string
	if k.Default != "" {
		list = append(list, code(k.Default))
	}
	for _, w := range []string{"pcapng", "icap", "inline"} {
		if d, ok := k.DefaultOf[w]; ok {
			list = append(list, fmt.Sprintf("%s for `%s`", code(d), w))
		}
	}
	switch {
	case len(list) > 0:
		return strings.Join(list, "; ")
	case k.Required:
		return "required"
	}
	return k.Absent
}

func code(text string) string { return "`" + text + "`" }
