package io.elder.fetch.vcenter;

import io.elder.fetch.Provider;
import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.HttpProviderContract;
import io.elder.fetch.testkit.ScriptedServer;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

class VcenterProviderTest extends HttpProviderContract<VcenterClient> {
    @Override
    protected Provider<VcenterClient> provider() {
        return new VcenterProvider();
    }

    @Override
    protected Map<String, String> settings(String url) {
        return VcenterVendor.settings(url);
    }

    @Override
    protected Set<String> secrets() {
        return VcenterVendor.secrets();
    }

    @Override
    protected void script(ScriptedServer vendor) {
        VcenterVendor.script(vendor);
    }

    @Override
    protected Map<String, Integer> expected() {
        return VcenterVendor.EXPECTED;
    }

    /** What stands before a vCenter's services says so. */
    @Override
    protected List<Answer> throttles() {
        return List.of(Answer.of(503, "no healthy upstream"), Answer.of(503).header("Retry-After", "7"));
    }

    @Override
    protected Answer unauthorized() {
        return VcenterVendor.fault(vendor(), "login");
    }

    @Override
    protected Answer forbidden() {
        return VcenterVendor.fault(vendor(), "permission");
    }

    @Override
    protected List<String> saying(String text) {
        String fault = vendor().text("fault-login.xml");
        return List.of(
                fault.replace("Cannot complete login", xml(text)),
                fault.replace("InvalidLogin", "NotSupported").replace("Cannot complete login", xml(text)),
                "<html><body>" + xml(text) + "</body></html>");
    }

    @Override
    protected Optional<Answer> expired() {
        return Optional.of(VcenterVendor.fault(vendor(), "session"));
    }

    /** A record has the properties that were asked for. */
    @Override
    protected boolean keepsUnknownFields() {
        return false;
    }
}
