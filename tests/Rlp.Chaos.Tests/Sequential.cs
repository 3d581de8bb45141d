using Xunit.Sdk;
using Xunit.v3;

// Every test here starts processes that compute: beside each other they would only wait for the machine, and heartbeats with them.
[assembly: Parallelization(Mode = ParallelMode.None)]
