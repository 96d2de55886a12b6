module github.com/tieline/tieline/examples/consumers/kafka

go 1.25.0

require (
	github.com/tieline/tieline/clients/go v0.0.0
	github.com/twmb/franz-go v1.21.7
	github.com/twmb/franz-go/pkg/kadm v1.18.0
	google.golang.org/protobuf v1.36.6
)

replace github.com/tieline/tieline/clients/go => ../../../clients/go
