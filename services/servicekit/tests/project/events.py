"""Events of the test project; their service is called "tests", after this module's package."""
