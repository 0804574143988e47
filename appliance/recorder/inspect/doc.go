// Package inspect finds personal and confidential data in text: numbers that the state, banks
// and insurers give to people, addresses, lists of people, marks of confidentiality, and what
// an operator adds by word lists, patterns and registered data.
//
// # How
//
// A text is folded first: full-width letters and digits become ASCII, letters become small.
// Two scans run over it. One finds words: those that stand near numbers and say what they
// are, marks, and the operator's. The other finds runs of digits, and the sign @. Validators
// judge what the second one found, by check digits, form and the words around it. A number
// that any other number could be counts only near its words, or in a column below them.
//
// A row has headings if it is at the beginning of a text, or has no rows of the same columns
// above it. A number that is a cell amid a table belongs to the words of its row and its
// heading only.
//
// # Registered data
//
// A [Registry] has hashes of cells and of passages of documents (winnowing). It finds them
// without having them, and can be saved.
//
// # Findings
//
// A [Finding] has the number of different values, a score, and the first value masked. Values
// themselves never leave the package. From [Told] points on, a finding is worth telling.
//
// # Bounds
//
// A text has at most 64 MiB. A line is looked at up to 64 KiB for its columns. Of each word
// 100,000 places are known, and of each detector 100,000 different values.
package inspect
