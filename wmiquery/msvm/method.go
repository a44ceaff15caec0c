package msvm

// Method is a method of a class: its parameters by name, in the order of the
// documented signature. ReturnValue, an uint32, is not among them.
type Method struct {
	Class, Name string
	In, Out     []Parameter
}

// Parameter is one parameter of a method.
type Parameter struct {
	Name string
	Type Type
}

// Type is the CIM type of a parameter.
type Type string

// The types that the replication methods use.
const (
	TypeReference     Type = "reference"
	TypeEmbedded      Type = "embedded instance" // a string of CIM-XML
	TypeEmbeddedArray Type = "array of embedded instances"
)

// MethodGetReplicationStatistics is the name of the method that gives the
// statistics and the health issues of one relationship. Windows Server 2012
// lacks it.
const MethodGetReplicationStatistics = "GetReplicationStatisticsEx"

// Methods has every method that this program calls.
func Methods() []Method {
	return []Method{{
		Class: "Msvm_ReplicationService",
		Name:  MethodGetReplicationStatistics,
		In: []Parameter{
			{"ComputerSystem", TypeReference},
			{"ReplicationRelationship", TypeEmbedded},
		},
		Out: []Parameter{
			{outStatistics, TypeEmbeddedArray},
			{outIssues, TypeEmbeddedArray},
			{"Job", TypeReference},
		},
	}}
}
