import {
  Button,
  Checkboxes,
  createAll,
  ErrorSummary,
  NotificationBanner,
  PasswordInput,
  Radios,
  ServiceNavigation,
  SkipLink,
} from 'govuk-frontend';

document.body.classList.add('js-enabled', 'govuk-frontend-supported');

createAll(Button, { preventDoubleClick: true });
for (const component of [Checkboxes, ErrorSummary, NotificationBanner, PasswordInput, Radios, ServiceNavigation, SkipLink]) {
  createAll(component);
}

// A part of a page that failed is not swapped in (see htmx-config in the layout): the whole page says what is wrong.
document.addEventListener('htmx:response:error', ({ detail: { ctx } }) => {
  if (ctx.request.method === 'GET' && !ctx.response.headers.has('HX-Redirect')) location.assign(ctx.request.action);
});
