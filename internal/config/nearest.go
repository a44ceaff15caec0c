package config

import (
	"slices"
	"strings"
)

// nearest returns the known key that is most like an unknown one, "" if none is. A key with the same last part as the
// only such key is like it.
func nearest(key string, known []string) string {
	best, distance := "", max(2, len(key)/3)+1
	for _, k := range known {
		if d := editDistance(key, k); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return best
	}
	last := key[strings.LastIndex(key, ".")+1:]
	same := slices.DeleteFunc(slices.Clone(known), func(k string) bool { return !strings.HasSuffix(k, "."+last) })
	if len(same) == 1 {
		return same[0]
	}
	return ""
}

// editDistance returns the Levenshtein distance of two keys in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1) // of the distances from a prefix of a to each prefix of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substituted := diagonal
			if a[i] != b[j] {
				substituted++
			}
			diagonal = row[j+1]
			row[j+1] = min(substituted, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
