package io.elder.fetch.aws;

import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import java.io.IOException;
import java.util.Set;
import javax.net.ssl.SSLException;
import software.amazon.awssdk.awscore.exception.AwsErrorDetails;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.exception.SdkClientException;

/**
 * What AWS means by its errors. The same trouble has another name in almost every service.
 *
 * @see <a href="https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html">EC2's codes</a>
 * @see <a href="https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html">Common errors</a>
 */
final class AwsVerdicts {
    private static final Set<String> EXPIRED = Set.of(
            "ExpiredToken",
            "ExpiredTokenException",
            "RequestExpired",
            "TokenRefreshRequired",
            // A cursor that the service has forgotten.
            "InvalidNextToken",
            "InvalidNextTokenException",
            "InvalidPaginationToken",
            "InvalidPaginationTokenException",
            "ExpiredNextTokenException",
            "NextTokenExpired");

    private static final Set<String> BAD_CREDENTIALS = Set.of(
            "AuthFailure",
            "InvalidClientTokenId",
            "UnrecognizedClientException",
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "InvalidSignatureException",
            "IncompleteSignature",
            "IncompleteSignatureException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "MissingSecurityHeader",
            "InvalidToken",
            "InvalidIdentityToken",
            "InvalidSecurity",
            "NotSignedUp");

    private static final Set<String> FORBIDDEN = Set.of(
            "AccessDenied",
            "AccessDeniedException",
            "AccountProblem",
            "AllAccessDisabled",
            "AuthorizationError",
            "AuthorizationErrorException",
            "Blocked",
            "ForbiddenException",
            "NotAuthorized",
            "OptInRequired",
            "PendingVerification",
            "SubscriptionRequiredException",
            "UnauthorizedOperation",
            "AWSOrganizationsNotInUseException",
            "RegionDisabledException");

    /** Absent, or gone since it was listed; their names follow no rule. */
    private static final Set<String> GONE = Set.of(
            "NoSuchBucket",
            "NoSuchEntity",
            "NoSuchTagSet",
            "NoSuchTagSetError",
            "NoSuchPublicAccessBlockConfiguration",
            "AWS.SimpleQueueService.NonExistentQueue",
            "QueueDoesNotExist");

    private static final Set<String> PASSING =
            Set.of("RequestTimeTooSkewed", "RequestTimeout", "RequestTimeoutException");

    private AwsVerdicts() {}

    static Verdict on(Throwable failure) {
        return switch (failure) {
            case AwsServiceException e -> on(e);
            case SdkClientException e ->
                hasCause(e, SSLException.class)
                        ? new Verdict.Stop(StopReason.TLS, e.getMessage())
                        // No connection, no answer in time, an answer that breaks off or is none of the API's.
                        : new Verdict.RetryWithBackoff();
            case IOException unused -> new Verdict.RetryWithBackoff();
            default -> new Verdict.Stop(StopReason.UNKNOWN, String.valueOf(failure));
        };
    }

    private static Verdict on(AwsServiceException e) {
        String code = code(e);
        int status = e.statusCode();
        if (EXPIRED.contains(code)) {
            return new Verdict.StartOver();
        }
        if (BAD_CREDENTIALS.contains(code)) {
            return stop(StopReason.BAD_CREDENTIALS, e);
        }
        if (FORBIDDEN.contains(code)) {
            return stop(StopReason.FORBIDDEN, e);
        }
        if (GONE.contains(code) || code.contains("NotFound")) {
            return new Verdict.Gone();
        }
        if (e.isThrottlingException() || status == 429) {
            return Verdict.throttled(retryAfter(e));
        }
        if (PASSING.contains(code) || status >= 500) {
            return retryAfter(e) == null ? new Verdict.RetryWithBackoff() : Verdict.throttled(retryAfter(e));
        }
        return switch (status) {
            case 401 -> stop(StopReason.BAD_CREDENTIALS, e);
            case 403 -> stop(StopReason.FORBIDDEN, e);
            // Without a code it is not AWS that says so.
            case 404 -> code.isEmpty() ? new Verdict.RetryWithBackoff() : new Verdict.Gone();
            default -> stop(StopReason.UNKNOWN, e);
        };
    }

    /** In AWS's words, with the code that its documentation can be searched for. */
    private static Verdict stop(StopReason reason, AwsServiceException e) {
        AwsErrorDetails details = e.awsErrorDetails();
        return new Verdict.Stop(
                reason,
                details == null || details.errorMessage() == null
                        ? String.valueOf(e.getMessage())
                        : "%s: %s (%s, %d)"
                                .formatted(code(e), details.errorMessage(), details.serviceName(), e.statusCode()));
    }

    private static String code(AwsServiceException e) {
        AwsErrorDetails details = e.awsErrorDetails();
        return details == null || details.errorCode() == null ? "" : details.errorCode();
    }

    private static String retryAfter(AwsServiceException e) {
        AwsErrorDetails details = e.awsErrorDetails();
        return details == null || details.sdkHttpResponse() == null
                ? null
                : details.sdkHttpResponse().firstMatchingHeader("Retry-After").orElse(null);
    }

    private static boolean hasCause(Throwable failure, Class<? extends Throwable> type) {
        for (Throwable cause = failure.getCause(); cause != null; cause = cause.getCause()) {
            if (type.isInstance(cause)) {
                return true;
            }
        }
        return false;
    }
}
