"""Every method that the client has on these services has a test of its own name (sdk_case.py)."""

import test_sdk_commits
import test_sdk_files
import test_sdk_more
import test_sdk_pps
import test_sdk_repos
from harness import ApiTest, unittest
from pachyderm_sdk.api import version
from sdk_case import SdkCase

MODULES = (test_sdk_commits, test_sdk_files, test_sdk_more, test_sdk_pps, test_sdk_repos)
SERVICES = ("pfs", "pps", "transaction", "storage", "metadata", "admin", "version")


class MethodsTest(ApiTest):
    def methods(self, service):
        stub = getattr(self.client, service, None) or version.ApiStub(self.client._channel)
        names = (n for n in dir(type(stub)) + dir(stub) if not n.startswith("_"))
        return {n for n in names if callable(getattr(stub, n))}

    def covered(self, service):
        classes = (c for module in MODULES for c in vars(module).values())
        cases = (c for c in classes if isinstance(c, type) and issubclass(c, SdkCase))
        tests = (t for c in cases if c.service == service for t in vars(c))
        return {t.removeprefix("test_") for t in tests if t.startswith("test_")}

    def test_every_method_has_a_test(self):
        for service in SERVICES:
            with self.subTest(service):
                methods, tested = self.methods(service), self.covered(service)
                self.assertGreater(len(methods), 0)
                self.assertEqual(methods - tested, set(), "without a test")
                self.assertEqual(tested - methods, set(), "not of the client")


if __name__ == "__main__":
    unittest.main()
