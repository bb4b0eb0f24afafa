// All images at once, from one build:  docker buildx bake
// In a registry:  REGISTRY=ghcr.io/you/boxoffice VERSION=1.2.3 docker buildx bake --push

variable "REGISTRY" { default = "boxoffice" }
variable "VERSION" { default = "dev" }
variable "REVISION" { default = "unknown" }
variable "CREATED" { default = "1970-01-01T00:00:00Z" }

group "default" {
  targets = ["images"]
}

target "images" {
  name   = item
  matrix = { item = ["gateway", "user-svc", "ticket-svc", "payment-svc", "notify-svc", "boxoffice"] }
  target = item
  tags   = ["${REGISTRY}/${item}:${VERSION}"]
  args = {
    VERSION  = VERSION
    REVISION = REVISION
    CREATED  = CREATED
  }
}

// The programs themselves, into out/.
target "programs" {
  target = "programs"
  output = ["type=local,dest=out"]
}
