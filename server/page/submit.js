// Presses the button of the page that goes on to the app.
document.forms[0].submit();
