"""Every word that is stored: the enumerations, their order and what belongs together."""

from __future__ import annotations

from enum import StrEnum


class ContactStatus(StrEnum):
    """How far contact with a business has come; computed by the fold, never written by hand."""

    PENDING = "pending"
    EMAILED = "emailed"
    TEXTED = "texted"
    CALLED = "called"
    OPENED = "opened"
    CLICKED = "clicked"
    REPLIED = "replied"
    PURCHASED = "purchased"

    @property
    def rank(self) -> int:
        """0 (pending) to 5 (purchased); the highest rank reached names the status."""
        return _CONTACT_RANK[self]


_CONTACT_RANK = {
    ContactStatus.PENDING: 0,
    ContactStatus.EMAILED: 1,
    ContactStatus.TEXTED: 1,
    ContactStatus.CALLED: 1,
    ContactStatus.OPENED: 2,
    ContactStatus.CLICKED: 3,
    ContactStatus.REPLIED: 4,
    ContactStatus.PURCHASED: 5,
}


class WebsiteStatus(StrEnum):
    """What a business's preview site has come to, over all its sites."""

    NONE = "none"
    GENERATING = "generating"
    GENERATED = "generated"
    PUBLISHED = "published"
    SOLD = "sold"
    FAILED = "failed"
    ARCHIVED = "archived"


class SiteStatus(StrEnum):
    """The state of one site."""

    PREVIEW = "preview"
    PUBLISHED = "published"
    SOLD = "sold"
    ARCHIVED = "archived"


class Outcome(StrEnum):
    """What came of it so far, as sorted by a payment, a call or the operator."""

    OPEN = "open"
    INTERESTED = "interested"
    LATER = "later"
    WON = "won"
    LOST = "lost"
    WRONG_CONTACT = "wrong_contact"


class ContactKind(StrEnum):
    """The kinds of contact point."""

    EMAIL = "email"
    PHONE = "phone"
    WEBSITE = "website"
    SOCIAL = "social"


class ContactState(StrEnum):
    """What is known about reaching one contact point."""

    UNKNOWN = "unknown"
    OK = "ok"
    SOFT_BOUNCED = "soft_bounced"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    STOPPED = "stopped"
    INVALID = "invalid"


class EventKind(StrEnum):
    """One line of a business's timeline."""

    CAPTURED = "captured"
    MERGED = "merged"
    EDITED = "edited"
    TAGGED = "tagged"
    NOTE = "note"
    CALL = "call"
    STATUS_SET = "status_set"
    STATUS_IMPORTED = "status_imported"
    OUTCOME_SET = "outcome_set"
    TASK_ADDED = "task_added"
    TASK_MOVED = "task_moved"
    TASK_DONE = "task_done"
    DO_NOT_CONTACT = "do_not_contact"
    CONTACT_ALLOWED = "contact_allowed"
    CONSENT_GIVEN = "consent_given"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    EMAIL_SENT = "email_sent"
    SMS_SENT = "sms_sent"
    OPENED = "opened"
    CLICKED = "clicked"
    REPLIED = "replied"
    AUTO_REPLIED = "auto_replied"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    SOFT_BOUNCED = "soft_bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    NOT_SENT = "not_sent"
    PURCHASED = "purchased"
    PAYMENT_ASKED = "payment_asked"
    PAYMENT_PENDING = "payment_pending"
    PAYMENT_SUCCEEDED = "payment_succeeded"
    PAYMENT_FAILED = "payment_failed"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    DISPUTE_CLOSED = "dispute_closed"
    SUBSCRIPTION_STARTED = "subscription_started"
    SUBSCRIPTION_UPDATED = "subscription_updated"
    SUBSCRIPTION_PAUSED = "subscription_paused"
    SUBSCRIPTION_RESUMED = "subscription_resumed"
    SUBSCRIPTION_CANCELED = "subscription_canceled"
    CAMPAIGN_JOINED = "campaign_joined"
    CAMPAIGN_LEFT = "campaign_left"
    SITE_BUILDING = "site_building"
    SITE_BUILT = "site_built"
    SITE_FAILED = "site_failed"
    SITE_ABANDONED = "site_abandoned"
    SITE_IMPORTED = "site_imported"
    SITE_LINKED = "site_linked"
    SITE_PUBLISHED = "site_published"
    SITE_UNPUBLISHED = "site_unpublished"
    SITE_SOLD = "site_sold"
    PREVIEWED = "previewed"
    ARCHIVED = "archived"
    UNARCHIVED = "unarchived"
    SPLIT = "split"
    ERASED = "erased"
    VOIDED = "voided"


class CallOutcome(StrEnum):
    """How a phone call went."""

    NO_ANSWER = "no_answer"
    VOICEMAIL = "voicemail"
    TALKED = "talked"
    LATER = "later"
    NO = "no"
    WRONG_NUMBER = "wrong_number"


class Channel(StrEnum):
    """What a message goes through."""

    EMAIL = "email"
    SMS = "sms"


class CampaignState(StrEnum):
    """The life of a campaign."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELED = "canceled"


class MessageState(StrEnum):
    """Where a message stands; what happens to it after it was sent are facts beside the state."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELED = "canceled"
    UNCERTAIN = "uncertain"


class TaskState(StrEnum):
    """A follow-up is open until it is done."""

    OPEN = "open"
    DONE = "done"


class BatchState(StrEnum):
    """The life of an import batch; one left `running` by a dead process is taken back."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    UNDOING = "undoing"
    UNDONE = "undone"


class RowAction(StrEnum):
    """What an import did with one row."""

    CREATED = "created"
    MERGED = "merged"
    SKIPPED = "skipped"
    REJECTED = "rejected"


class AliasKind(StrEnum):
    """Keys, besides contact points, that lead to a business."""

    PLACE_ID = "place_id"
    GOOGLE_ID = "google_id"
    KEY = "key"
    LEGACY = "legacy"
    ROW = "row"


class UnmatchedKind(StrEnum):
    """What waits in the inbox for a business."""

    SITE = "site"
    REPLY = "reply"
    BOUNCE = "bounce"
    UNSUBSCRIBE = "unsubscribe"
    PAYMENT = "payment"


class UnmatchedState(StrEnum):
    """Where an unmatched record stands."""

    OPEN = "open"
    LINKED = "linked"
    CREATED = "created"
    DISMISSED = "dismissed"


class SuppressionKind(StrEnum):
    """What a suppression bars from being contacted."""

    EMAIL = "email"
    PHONE = "phone"
    DOMAIN = "domain"
    BUSINESS = "business"


class UndoState(StrEnum):
    """Where an action stands; one that was undone is `dropped` when another takes its place."""

    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"
    REDOING = "redoing"
    DROPPED = "dropped"


class ChangeState(StrEnum):
    """Whether one change of an action stands, was undone, or could not be."""

    DONE = "done"
    UNDONE = "undone"
    LEFT = "left"


class ErasedKind(StrEnum):
    """The keys by which an erased business is known again, as hashes."""

    PLACE_ID = "place_id"
    EMAIL = "email"
    PHONE = "phone"
    DOMAIN = "domain"
    NAME = "name"
    KEY = "key"


class Stage(StrEnum):
    """How far a business has come in the funnel, in order: who reached one reached those before."""

    CAPTURED = "captured"
    QUALIFIED = "qualified"
    SITE_BUILT = "site_built"
    CONTACTED = "contacted"
    OPENED = "opened"
    CLICKED = "clicked"
    REPLIED = "replied"
    PURCHASED = "purchased"
    ACTIVE_CLIENT = "active_client"


class Interval(StrEnum):
    """How often an amount is due; plans have months, years and once only."""

    MONTH = "month"
    YEAR = "year"
    ONCE = "once"
    WEEK = "week"
    DAY = "day"


class Mode(StrEnum):
    """Which money: what was recorded by hand, a provider's real money, or its play money."""

    MANUAL = "manual"
    LIVE = "live"
    TEST = "test"


class PaymentState(StrEnum):
    """Where a payment stands; refunds and disputes are facts beside it."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class RefundState(StrEnum):
    """Where a refund stands; only one that succeeded counts."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class DisputeState(StrEnum):
    """Where a dispute stands."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class SubscriptionState(StrEnum):
    """Where a subscription stands."""

    INCOMPLETE = "incomplete"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    PAUSED = "paused"
    UNPAID = "unpaid"
    ENDED = "ended"

    @property
    def earns(self) -> bool:
        """Whether it counts as active: it brings money, or is only late with it."""
        return self in {SubscriptionState.ACTIVE, SubscriptionState.PAST_DUE}


class LinkState(StrEnum):
    """The life of a way to pay that a lead was offered."""

    CREATING = "creating"
    OPEN = "open"
    PAID = "paid"
    CLOSED = "closed"
