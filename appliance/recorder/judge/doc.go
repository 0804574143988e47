// Package judge says which findings are told to whom. A [Rule] joins detectors with who sent
// it, where it went to, and how large it was. A finding that no rule names is kept, and told
// to nobody.
//
// A rule looks at all that one event sends, such as the parts of a mail message, or all that
// it receives. Counts of a detector in several files of it are added.
package judge
